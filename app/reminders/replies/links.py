"""The link in a reminder's mail: the row's id and a token of SECRET_KEY. It is valid until the row is edited."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.reminders.models import Reminder
from settings import Settings

REPLY = "reply to a reminder"


def reply_url(reminder: Reminder, settings: Settings) -> str:
    """The same in every try of one revision."""
    return f"{settings.base_url}/reminded/{reminder.id}/{tokens.derive(settings.secret_key, REPLY, _nonce(reminder))}"


async def find(db: AsyncSession, pk: int, token: str, settings: Settings, *, lock: bool = False) -> Reminder | None:
    """The reminder of this link. None if the token is wrong, or the reminder was edited or deleted since."""
    reminder = await db.get(Reminder, pk, with_for_update=lock or None, populate_existing=True)
    nonce = _nonce(reminder) if reminder else ""
    return reminder if tokens.fits(token, settings.secret_key, REPLY, nonce) else None


def _nonce(reminder: Reminder) -> str:
    """The time of creation is in it, because a new database has the same ids."""
    return f"{reminder.id} {reminder.revision} {reminder.created_at.isoformat()}"

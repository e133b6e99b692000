"""The secret address of an account's calendar."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app import tokens
from app.accounts import Account
from app.database import Model
from settings import Settings

READ = "read the calendar of reminders"


class Calendar(Model):
    """Exists while the account has an address. Its token is derived from `nonce` and SECRET_KEY, and not stored."""

    __tablename__ = "reminder_calendar"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]

    def renew(self) -> None:
        """Give it another address. The old one is worth nothing afterwards."""
        self.nonce, self.created_at = secrets.token_urlsafe(24), datetime.now(UTC)

    def url(self, settings: Settings) -> str:
        """Its address, for a calendar program."""
        token = tokens.derive(settings.secret_key, READ, self.nonce)
        return f"{settings.base_url}/reminders/calendar/{self.account_id}/{token}.ics"


async def reader(db: AsyncSession, account_id: int, token: str, settings: Settings) -> Account | None:
    """The account whose calendar this address is. None if the address is not valid (any more)."""
    calendar = await db.get(Calendar, account_id)
    fits = tokens.fits(token, settings.secret_key, READ, calendar.nonce if calendar else "")
    return await db.get(Account, account_id) if fits and calendar is not None else None

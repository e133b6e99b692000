"""Export all data of an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account
from app.accounts.models import SignIn, SignInLink
from app.blog.pictures.models import Picture
from app.blog.unsaved.models import UnsavedText
from app.database import Model
from app.digest.models import Delivery
from app.reminders.calendar.models import Calendar
from app.reminders.consents.models import Consent
from app.reminders.models import Reminder, owned_by
from app.reminders.series import Series
from app.subscribers.models import Subscriber

ACCOUNT = ("email", "timezone", "created_at", "first_steps_dismissed_at")
REMINDER = (
    *("id", "date", "email", "text", "state", "reason", "created_at", "sent_at"),
    *("ended_at", "series_id", "done_at", "snooze_of"),
)
SERIES = ("id", "email", "text", "repeat", "zone", "start", "created_at", "stopped_at", "reason")
ASKED = ("email", "answer", "created_at", "asked_at", "answered_at")
SUBSCRIPTION = ("email", "state", "created_at", "asked_at", "confirmed_at", "ended_at", "reason", "import_id")
DIGEST = ("digest_id", "step", "reason", "sent_at")
UNSAVED = ("post_id", "typed", "typed_at", "ended_at")
PICTURE = ("name", "alt", "width", "height", "size", "created_at")
BROWSER = ("created_at", "seen_at", "expires_at")
LINK = ("created_at", "expires_at", "used_at", "browser")


async def of_account(db: AsyncSession, account: Account) -> dict[str, Any]:
    """All data of the account, for `json.dumps`. Leaves out hashes and nonces: the tokens themselves are not stored."""
    asked_by = (
        select(Consent, Account.email)
        .outerjoin(Account, Account.id == Consent.account_id)  # None for a day after the account was deleted
        .where(Consent.email == account.email)
        .order_by(Consent.id)
    )
    mine = select(Subscriber.id).where(Subscriber.email == account.email)
    return {
        "account": _chosen(account, ACCOUNT),
        "reminders": await _all(db, Reminder, owned_by(account), REMINDER),
        "repeating_reminders": await _all(db, Series, Series.account_id == account.id, SERIES),
        "calendar": await _all(db, Calendar, Calendar.account_id == account.id, ("created_at",)),
        "people_you_asked": await _all(db, Consent, Consent.account_id == account.id, ASKED),
        "people_who_asked_you": [
            {"account": asker} | _chosen(consent, ASKED[1:]) for consent, asker in (await db.execute(asked_by)).all()
        ],
        "subscription": await _all(db, Subscriber, Subscriber.email == account.email, SUBSCRIPTION),
        "digests": await _all(db, Delivery, Delivery.subscriber_id.in_(mine), DIGEST),
        "unsaved_texts": await _all(db, UnsavedText, UnsavedText.account_id == account.id, UNSAVED),
        "pictures": await _all(db, Picture, Picture.account_id == account.id, PICTURE),
        "browsers_signed_in": await _all(db, SignIn, SignIn.account_id == account.id, BROWSER),
        "sign_in_links": await _all(db, SignInLink, SignInLink.email == account.email, LINK),
    }


async def _all(
    db: AsyncSession, model: type[Model], which: ColumnElement[bool], names: Sequence[str]
) -> list[dict[str, Any]]:
    rows = await db.scalars(select(model).where(which).order_by(*model.__mapper__.primary_key))
    return [_chosen(row, names) for row in rows]


def _chosen(row: Model, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value

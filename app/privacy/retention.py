"""Erase data at the end of its retention. The privacy page lists what is kept for how long."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Delete, Update, delete, exists, func, or_, update

from app import database
from app.accounts.links import KEEP_OLD_LINKS
from app.accounts.models import IDLE_LIFETIME, SignIn, SignInLink
from app.blog.unsaved.models import UnsavedText
from app.context import site
from app.database.erasing import empty_log
from app.reminders.consents.models import ONE_REQUEST_PER, Consent
from app.reminders.models import OPEN, Reminder, State
from app.reminders.series import Series
from app.subscribers import states

UNSAVED = timedelta(days=30)
"""How long a text is kept that was typed in the editor and neither saved nor discarded."""

log = logging.getLogger(__name__)


async def erase_old() -> dict[str, int]:
    """Erase old data. Returns the number erased of each kind. Safe to run twice, and by two workers at once."""
    now = datetime.now(UTC)
    ended = func.coalesce(Reminder.sent_at, Reminder.ended_at, Reminder.date) < now - timedelta(
        days=site().reminder_days
    )
    over = Reminder.state.not_in(OPEN), Reminder.text != "", ended
    latest = exists().where(Series.id == Reminder.series_id, Series.slot == Reminder.slot)
    skipped = Reminder.series_id.is_not(None), Reminder.snooze_of.is_(None), Reminder.state == State.CANCELLED
    stopped = Series.text != "", Series.stopped_at < now - timedelta(days=site().reminder_days)
    idle = or_(SignIn.expires_at <= now, SignIn.seen_at <= now - IDLE_LIFETIME)
    orphaned = Consent.account_id.is_(None), Consent.asked_at <= now - ONE_REQUEST_PER
    statements: dict[str, Update | Delete] = {
        "cancelled reminders that repeat": delete(Reminder).where(*skipped, ended, ~latest),
        "texts of reminders": update(Reminder).where(*over).values(text=""),
        "texts of repeating reminders": update(Series).where(*stopped).values(text=""),
        "sign-in links": delete(SignInLink).where(SignInLink.expires_at < now - KEEP_OLD_LINKS),
        "signed-in browsers": delete(SignIn).where(idle),
        "unsaved texts": delete(UnsavedText).where(UnsavedText.typed_at < now - UNSAVED),
        "texts that were saved": delete(UnsavedText).where(UnsavedText.ended_at < now - timedelta(days=1)),
        "requests of deleted accounts": delete(Consent).where(*orphaned),
    }
    erased = {what: await _run(statement) for what, statement in statements.items()}
    async with database.transaction() as db:
        unconfirmed = now - timedelta(days=site().unconfirmed_days)
        erased["unconfirmed subscribers"] = await states.delete_unconfirmed(db, unconfirmed)
    await empty_log(database.current_database().engine)  # also the rest of earlier deletions
    if found := {what: count for what, count in erased.items() if count}:
        log.info("erased: %s", ", ".join(f"{count} {what}" for what, count in found.items()))
    return erased


async def _run(statement: Any) -> int:
    """Run one statement in its own transaction, so that locks are short."""
    async with database.session() as db:
        done = await db.execute(statement, execution_options={"synchronize_session": False})
        await db.commit()
    assert isinstance(done, CursorResult)
    return done.rowcount

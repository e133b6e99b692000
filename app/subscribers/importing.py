"""Imports of subscribers, in SQL: add the addresses that the site does not know, and count the outcomes.

One transaction adds all of a file. The sweep `subscribers.send_overdue` mails them, a few each minute: a row that waits
has no `asked_at`, so that a crash at any moment neither loses a mail nor repeats one. It has no `mail_due_at`, so that
workers of the version before imports do not see it: they would mail all at once, with links that do not work.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.subscribers.delivery import IMPORTED_A_MINUTE
from app.subscribers.models import WAITING, Import, State, Subscriber
from app.subscribers.states import is_waiting, shown_state


@dataclass(frozen=True)
class Progress:
    """How far an import is: its subscribers by state. Those that were never mailed count as waiting."""

    one: Import
    counts: dict[str, int]

    @property
    def waiting(self) -> int:
        return self.counts.get(WAITING, 0)

    @property
    def asked(self) -> int:
        """Those whose turn has come, whatever became of them."""
        return self.one.added - self.waiting - self.one.stopped

    @property
    def deleted(self) -> int:
        """Those that were deleted since: stopped, removed, never confirmed."""
        return self.one.added - sum(self.counts.values())

    @property
    def takes(self) -> timedelta:
        """Until the last mail leaves, if all goes well and no other import is before it."""
        return timedelta(minutes=-(-self.waiting // IMPORTED_A_MINUTE))


async def add(db: AsyncSession, addresses: Sequence[str]) -> Import:
    """Add each (parsed) address that is in no row, whatever the row's state. It waits for its confirmation mail."""
    now = datetime.now(UTC)
    one = Import(created_at=now)
    db.add(one)
    await db.flush()
    same = {"state": State.ASKED, "created_at": now, "import_id": one.id, "reason": "", "refusals": 0}
    rows = [{"email": email, "nonce": secrets.token_urlsafe(24), **same} for email in sorted(addresses)]
    if rows:
        on_postgres = db.get_bind().dialect.name == "postgresql"
        insert = postgresql.insert(Subscriber) if on_postgres else sqlite.insert(Subscriber)
        await db.execute(insert.on_conflict_do_nothing(index_elements=["email"]), rows)
    one.added = await db.scalar(select(func.count()).where(Subscriber.import_id == one.id)) or 0
    one.known = len(rows) - one.added
    return one


async def progress(db: AsyncSession, imports: Sequence[Import]) -> list[Progress]:
    """How far each of these imports is."""
    state = shown_state().label("what")
    of_these = Subscriber.import_id.in_([one.id for one in imports])
    query = select(Subscriber.import_id, state, func.count()).where(of_these).group_by(Subscriber.import_id, "what")
    counts = {one.id: dict[str, int]() for one in imports}
    for pk, what, count in await db.execute(query):
        counts[pk or 0][what] = count
    return [Progress(one, counts[one.id]) for one in imports]


async def stop(db: AsyncSession, one: Import) -> int:
    """Delete its addresses that were not mailed yet. Returns how many."""
    deleted = await db.execute(
        delete(Subscriber).where(Subscriber.import_id == one.id, is_waiting()),
        execution_options={"synchronize_session": False},
    )
    assert isinstance(deleted, CursorResult)
    one.stopped += deleted.rowcount
    return deleted.rowcount

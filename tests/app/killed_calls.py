"""What `tests.app.killed_at_each_line` runs: each may be killed at any line, and begins anew in the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app import database
from app.accounts.models import Account
from app.digest import choosing, steering
from app.digest.models import Digest
from app.reminders import advancing
from app.subscribers import importing

ADDRESSES = [f"r{n}@example.org" for n in range(3)]


async def read_an_account() -> None:
    """Is never killed: it prepares the tables' classes and the database's driver."""
    async with database.session() as db:
        await db.get(Account, 0)


async def advance_a_series() -> None:
    await advancing.advance(1, datetime(2040, 1, 1, tzinfo=UTC))


async def plan_a_digest_and_undo_it() -> None:
    """A run that was killed before leaves it planned, or undone."""
    pk = await choosing.begin("a run", wait=timedelta(hours=1))
    assert pk is not None
    async with database.transaction() as db:
        await steering.undo(db, await db.get_one(Digest, pk, with_for_update=True))


async def import_a_file() -> None:
    async with database.transaction() as db:
        await importing.add(db, ADDRESSES)

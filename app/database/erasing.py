"""What is deleted leaves no bytes behind in SQLite's files: `secure_delete` zeroes it, and the log is emptied after it.

Postgres writes over deleted rows when it vacuums; its files are its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import CursorResult, Result, event, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

TRIES, PAUSE_S, BUSY_MS = 5, 0.05, 100


class _SyncSession(orm.Session):
    """Notes in `info` that something was deleted."""


class Session(AsyncSession):
    """A session whose commit empties the write-ahead log if anything was deleted."""

    sync_session_class = _SyncSession

    async def commit(self) -> None:
        await super().commit()
        await self.erase()

    async def erase(self) -> None:
        """After a commit: see `empty_log`."""
        engine = self.bind
        if self.info.pop("erases", False) and isinstance(engine, AsyncEngine):
            await empty_log(engine)


async def empty_log(engine: AsyncEngine) -> bool:
    """Write SQLite's log into the database and cut it to nothing. False: others were reading or writing all the time.

    Then the next call does it; workers make one once an hour.
    """
    if engine.dialect.name != "sqlite":
        return True
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        [patience_ms] = await (await driver.execute("PRAGMA busy_timeout")).fetchone()
        await driver.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        try:
            for _ in range(TRIES):
                busy, *_ = await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).fetchone()
                if not busy:
                    return True
                await asyncio.sleep(PAUSE_S)
        finally:
            await driver.execute(f"PRAGMA busy_timeout = {patience_ms}")
    return False


@event.listens_for(_SyncSession, "do_orm_execute")
def _note_statement(state: orm.ORMExecuteState) -> Result[Any] | None:
    if not state.is_delete:
        return None
    result = state.invoke_statement()
    if isinstance(result, CursorResult) and result.rowcount:
        state.session.info["erases"] = True
    return result


@event.listens_for(_SyncSession, "after_flush")
def _note_flush(session: orm.Session, context: object) -> None:
    if session.deleted:
        session.info["erases"] = True

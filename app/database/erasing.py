"""Leave no bytes of deleted rows in SQLite's files: `secure_delete` zeroes them, and the log is emptied afterwards.

Postgres overwrites deleted rows when it vacuums.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import CursorResult, Result, event, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

TRIES, PAUSE_S, BUSY_MS = 5, 0.05, 100


class _SyncSession(orm.Session):
    """Notes in `info` that the session has deleted something."""


class Session(AsyncSession):
    """A session that empties the write-ahead log at its commit if it has deleted anything."""

    sync_session_class = _SyncSession

    async def commit(self) -> None:
        await super().commit()
        await self.erase()

    async def erase(self) -> None:
        """Empty the log if this session has deleted anything. Call it after a commit."""
        engine = self.bind
        if self.info.pop("erases", False) and isinstance(engine, AsyncEngine):
            await empty_log(engine)


async def empty_log(engine: AsyncEngine) -> bool:
    """Checkpoint SQLite's log and truncate it. Returns False if readers or writers blocked every try.

    Then the next call does it. Workers call this once an hour.
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

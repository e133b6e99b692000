"""The engine of the SQL database and its sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quart import current_app
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from app.database import postgres, sqlite
from app.database.erasing import Session

PATIENCE_S = 5.0


def session() -> Session:
    """A session of the current app, for only reading or only writing: `async with session() as db: ...`.

    Nothing is saved without `await db.commit()`. If a write depends on a read, use `transaction()`.
    """
    return current_database().session()


@asynccontextmanager
async def transaction() -> AsyncIterator[Session]:
    """A session that commits at the end of the block, and rolls back if the block raises.

    No other writer comes between its reads and its writes (on SQLite; on Postgres read `with_for_update()`).
    """
    async with current_database().transaction() as db:
        yield db


def current_database() -> Database:
    """The database of the running app. Needs an app context."""
    database: Database = current_app.extensions["database"]
    return database


class Database:
    """One engine and its sessions. Connects at the first statement. `close()` closes every connection.

    If the database is unavailable (away, restarting, full, read-only, locked for longer than `patience_s`),
    SQLAlchemy's OperationalError is raised, on SQLite and on Postgres.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S, foreign_keys: bool = True) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=not url.startswith("sqlite"),
            hide_parameters=True,  # errors are logged and stored as results: keep addresses and texts out
        )
        if self.engine.dialect.name == "sqlite":
            sqlite.prepare(self.engine.sync_engine, patience_s, foreign_keys)
        else:
            postgres.prepare(self.engine.sync_engine, patience_s)
        # Both share one pool. They differ in the BEGIN that SQLite gets.
        self.writer = self.engine.execution_options(read_then_write=True)
        self.session = async_sessionmaker(self.engine, class_=Session, expire_on_commit=False)
        self._writing = async_sessionmaker(self.writer, class_=Session, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """See `transaction()` of this module."""
        async with self._writing() as db:
            async with db.begin():
                yield db
            await db.erase()

    async def close(self) -> None:
        """Close every connection. Without this SQLite's threads keep the process alive."""
        await self.engine.dispose()

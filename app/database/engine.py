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
    """A session of the current app, for reading or for writing alone: `async with session() as db: ...`.

    Nothing is kept without `await db.commit()`. To read something and then write by it, use `transaction()`.
    """
    return current_database().session()


@asynccontextmanager
async def transaction() -> AsyncIterator[Session]:
    """A session that commits at the end of the block, and forgets everything if the block raises.

    No other writer comes between its reads and its writes (on SQLite; on Postgres read `with_for_update()`).
    """
    async with current_database().transaction() as db:
        yield db


def current_database() -> Database:
    """The database of the running app; needs an app context."""
    database: Database = current_app.extensions["database"]
    return database


class Database:
    """One engine and its sessions. Nothing connects before the first statement; `close()` ends all.

    A database that cannot take it now (away, restarting, full, read-only, busy for longer than `patience_s`)
    raises SQLAlchemy's OperationalError, whichever database it is.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S, foreign_keys: bool = True) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=not url.startswith("sqlite"),
            hide_parameters=True,  # its errors are logged and stored as results: no address or text in them
        )
        if self.engine.dialect.name == "sqlite":
            sqlite.prepare(self.engine.sync_engine, patience_s, foreign_keys)
        else:
            postgres.prepare(self.engine.sync_engine, patience_s)
        # Both share one pool; they differ in the BEGIN that SQLite sees.
        self.writer = self.engine.execution_options(read_then_write=True)
        self.session = async_sessionmaker(self.engine, class_=Session, expire_on_commit=False)
        self._writing = async_sessionmaker(self.writer, class_=Session, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """See the function of this name."""
        async with self._writing() as db:
            async with db.begin():
                yield db
            await db.erase()

    async def close(self) -> None:
        """Close every connection; without it SQLite's threads keep the process alive."""
        await self.engine.dispose()

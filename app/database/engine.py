"""The SQL database: engine, sessions, the base class of every model. SQLite, or Postgres by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from quart import current_app
from sqlalchemy import DateTime, Dialect, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

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


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: refuses a naive datetime, keeps UTC, gives UTC back. SQLite alone would drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone: use datetime.now(UTC) or .replace(tzinfo=...)")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Model(DeclarativeBase):
    """The base class of every model; a feature's models stand in `app/<feature>/models.py`."""

    # Names for every constraint, so that a migration can drop one again.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012  (SQLAlchemy reads it from the class)

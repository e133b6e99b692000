"""Upgrade the database to the newest schema: `await upgrade(settings)`, or `python -m app.migrations`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.database import Database
from settings import Settings

LOCK = 7_164_101  # any fixed number: the advisory lock of these migrations on Postgres
WAIT_FOR_OTHERS_S = 60


async def upgrade(settings: Settings) -> None:
    """Run all pending migrations in one transaction. Several processes may call it at the same time."""
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    # Batch mode rebuilds tables. With foreign keys on, that would delete the rows that refer to them.
    database = Database(settings.database_url, patience_s=WAIT_FOR_OTHERS_S, foreign_keys=False)
    try:
        async with database.writer.begin() as connection:  # on SQLite BEGIN IMMEDIATE, which is the lock
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def config(connection: Connection) -> Config:
    """Alembic's configuration, made without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


@cache
def newest() -> str | None:
    """The newest revision in this code."""
    return ScriptDirectory(str(Path(__file__).parent)).get_current_head()


def _upgrade(connection: Connection) -> None:
    if MigrationContext.configure(connection).get_current_revision() == newest():
        return  # the usual case, found without loading alembic's environment
    command.upgrade(config(connection), "head")
    if connection.dialect.name == "sqlite" and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
        raise RuntimeError(f"a migration would leave rows that refer to missing ones: {broken[:5]}")

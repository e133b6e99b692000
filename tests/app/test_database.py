"""The database: moments keep their meaning, writers wait their turn, migrations make what the models say."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from app.accounts.models import Account, SignIn
from app.database import Database, Model
from app.migrations import newest, upgrade
from settings import ROOT, Settings
from tests.app.running_site import environment
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.both_databases("what the two databases have in common is tested here")

NOW = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)


def make_account(**given: object) -> Account:
    return Account(**({"email": "alice@example.org", "timezone": "UTC", "created_at": NOW} | given))


async def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    berlin = datetime(2026, 12, 1, 8, 5, tzinfo=timezone(timedelta(hours=1)))

    async with database.session() as db:
        db.add(make_account(created_at=berlin))
        await db.commit()
    async with database.session() as db:
        stored = (await db.scalars(select(Account.created_at))).one()

    assert stored == berlin
    assert stored.tzinfo is UTC


async def test_a_naive_datetime_is_refused_with_its_value(database: Database) -> None:
    async with database.session() as db:
        db.add(make_account(created_at=datetime(2026, 12, 1)))
        with pytest.raises(StatementError, match=r"datetime\(2026, 12, 1, 0, 0\) has no time zone"):
            await db.commit()


async def test_a_row_that_points_to_nothing_is_refused(database: Database) -> None:
    async with database.session() as db:
        db.add(SignIn(token_hash="x", account_id=99, created_at=NOW, seen_at=NOW, expires_at=NOW))
        with pytest.raises(IntegrityError):
            await db.commit()


async def test_an_error_names_no_address(database: Database) -> None:
    """It is logged, and stored in Redis when a task ends with it."""
    async with database.session() as db:
        db.add_all([make_account(), make_account()])
        with pytest.raises(IntegrityError) as caught:
            await db.commit()

    shown = "".join(traceback.format_exception(caught.value))
    assert re.search("account[._]email", shown)
    assert "alice@example.org" not in shown


async def test_read_then_write_never_loses_an_update(database: Database) -> None:
    """Twenty at once: with a plain BEGIN some of them would fail with "database is locked"."""
    async with database.session() as db:
        db.add(make_account(timezone="0"))
        await db.commit()

    async def count_up() -> None:
        async with database.transaction() as db:
            account = (await db.scalars(select(Account).with_for_update())).one()
            await asyncio.sleep(0)
            account.timezone = str(int(account.timezone) + 1)

    await asyncio.gather(*(count_up() for _ in range(20)))

    async with database.session() as db:
        assert (await db.scalars(select(Account.timezone))).one() == "20"


async def test_a_transaction_that_raises_keeps_nothing(database: Database) -> None:
    async def fail_after_writing() -> None:
        async with database.transaction() as db:
            db.add(make_account())
            await db.flush()
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await fail_after_writing()

    async with database.session() as db:
        assert (await db.scalars(select(Account))).all() == []


async def test_a_session_that_reads_sees_one_moment_and_visits_sqlite_once_for_a_statement(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The first statement takes its BEGIN along; a visit wakes two threads, which costs a page more than a read."""
    if database.engine.dialect.name != "sqlite":
        pytest.skip("Postgres has no such thread")
    async with database.session() as reader, database.session() as writer:
        assert (await reader.scalars(select(Account))).all() == []
        writer.add(make_account())
        await writer.commit()
        with caplog.at_level("DEBUG", "aiosqlite"):
            assert (await reader.scalars(select(Account))).all() == []
            await reader.rollback()
            assert len((await reader.scalars(select(Account))).all()) == 1

    assert sum(record.message.startswith("executing") for record in caplog.records) == 3


async def test_migrations_make_what_the_models_say(database: Database) -> None:
    for path in (ROOT / "app").glob("*/models.py"):  # also of a feature that has no page yet
        importlib.import_module(f"app.{path.parent.name}.models")

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Model.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_several_processes_may_migrate_at_once(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Their first start, on a database that is not there yet or has nothing in it."""
    if settings.database_url.startswith("postgresql"):
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.run("createdb", "fresh")
        settings = replace(settings, database_url=server.url("fresh"))

    await asyncio.gather(*(upgrade(settings) for _ in range(4)))

    database = Database(settings.database_url)
    async with database.session() as db:
        assert (await db.execute(text("SELECT count(*) FROM alembic_version"))).scalar() == 1
    await database.close()


async def test_the_command_migrates(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> None:
    """Compose and the packages of the site run it before anything else."""
    url = f"sqlite+aiosqlite:///{tmp_path}/new.db"
    if settings.database_url.startswith("postgresql"):
        request.getfixturevalue("postgres_server").run("createdb", "new")
        url = settings.database_url.replace("/site?", "/new?")
    migrations = (sys.executable, "-m", "app.migrations")
    process = await asyncio.create_subprocess_exec(*migrations, cwd=ROOT, env=environment(tmp_path, DATABASE_URL=url))

    assert await process.wait() == 0

    database = Database(url)
    async with database.session() as db:
        assert (await db.execute(text("SELECT version_num FROM alembic_version"))).scalar() == newest()
    await database.close()


async def test_a_database_of_a_newer_release_is_refused(database: Database, settings: Settings) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(CommandError, match="9999"):
            await upgrade(settings)
    finally:
        async with database.engine.begin() as connection:  # the run's Postgres keeps its version
            await connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": newest()})

"""Postgres restarted, cut off, locked, read-only: pages say so, nothing is lost, and then they work by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from quart import Quart
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.database import Database
from app.migrations import upgrade
from settings import Settings
from tests.app.visitor import Visitor
from tests.postgres_server import PostgresServer
from tests.waiting import wait_until


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A Postgres that the test may kill."""
    server = PostgresServer().start()
    yield server
    server.remove()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, server: PostgresServer) -> Settings:
    url = server.url("postgres")
    return Settings(data_dir=tmp_path, redis_url=redis_url, database_url=url, secret_key="only for tests, long")


async def status(visitor: Visitor, path: str = "/reminders/") -> int:
    return (await visitor.get(path)).status_code


async def test_killed_and_back(app: Quart, alice: Visitor, server: PostgresServer) -> None:
    server.kill9()
    for path in ("/", "/reminders/", "/account"):
        assert await status(alice, path) == 503, path
        assert alice.marks.errors == ["database-away"]
    assert await status(Visitor(app), "/healthz") == 200

    server.start()
    assert await status(alice) == 200


async def test_every_session_ended_by_its_operator_costs_no_page(
    app: Quart, alice: Visitor, server: PostgresServer
) -> None:
    for _ in range(3):
        assert await asyncio.gather(*(status(Visitor(app), "/") for _ in range(5))) == [200] * 5
        server.run("psql", "-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'quarq'"
                   " AND pid <> pg_backend_pid()")  # fmt: skip
        assert await status(alice) == 200


async def test_a_session_ended_while_it_writes_keeps_nothing(settings: Settings, server: PostgresServer) -> None:
    await upgrade(settings)
    database = Database(settings.database_url)

    async def write() -> None:
        async with database.transaction() as db:
            await db.execute(text("INSERT INTO account VALUES (1, 'alice@example.org', 'UTC', now())"))
            await db.execute(text("SELECT pg_sleep(60)"))

    writing = asyncio.create_task(write())
    asleep = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
    pid = (await wait_until(lambda: server.run("psql", "-Atc", asleep), "the write")).split()[0]
    server.run("psql", "-c", f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(OperationalError):
        await writing
    async with database.session() as db:
        assert (await db.execute(text("SELECT count(*) FROM account"))).scalar() == 0
    await database.close()


async def test_a_standby_shows_pages_and_takes_no_form(alice: Visitor, server: PostgresServer) -> None:
    """As after a failover to a server that still is read-only."""
    for readonly, expected in (("on", 503), ("off", 303)):
        server.run("psql", "-c", f"ALTER SYSTEM SET default_transaction_read_only = {readonly}")
        server.run("psql", "-c", "SELECT pg_reload_conf()")
        shown = partial(server.run, "psql", "-Atc", "SHOW default_transaction_read_only")
        await wait_until(lambda: shown() == f"{readonly}\n", "the setting")  # noqa: B023
        response = await alice.post("/reminders/new", text="Tea", **{"in": "1h"})

        assert response.status_code == expected
        assert await status(alice) == 200
        assert ("Tea" in alice.text) == (expected == 303)


async def test_who_waits_too_long_for_a_lock_is_told_so(settings: Settings) -> None:
    await upgrade(settings)
    database = Database(settings.database_url, patience_s=0.1)
    async with database.engine.connect() as other:
        await other.execute(text("LOCK TABLE account"))

        with pytest.raises(OperationalError, match="lock timeout"):
            async with database.session() as db:
                await db.execute(text("SELECT * FROM account"))
    await database.close()


async def test_a_server_that_cannot_be_reached_is_named(server: PostgresServer) -> None:
    for url, sentence in (
        (f"quarq@/postgres?host={server.folder}/nowhere", "No such file"),
        (f"quarq@/nowhere?host={server.folder}", 'database "nowhere" does not exist'),
        (f"nobody@/postgres?host={server.folder}", 'role "nobody" does not exist'),
        ("quarq@127.0.0.1:1/postgres", "Connect call failed"),
    ):
        with pytest.raises(OperationalError, match=sentence):
            async with Database(f"postgresql+asyncpg://{url}").session() as db:
                await db.execute(text("SELECT 1"))

"""What machines are told: that the process lives, and which part of what it needs is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from quart import Quart
from redis.asyncio import Redis

from app import create_app
from app.database import Database
from settings import Settings
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis that this test may kill."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
async def probe(server: RedisServer, tmp_path: Path) -> AsyncIterator[Visitor]:
    """Whoever asks a site on that Redis."""
    app = create_app(Settings(data_dir=tmp_path, redis_url=server.url, secret_key="only for tests, 32"))
    async with app.test_app():
        yield Visitor(app)


async def status(probe: Visitor, path: str = "/readyz") -> int:
    return (await probe.get(path)).status_code


async def test_a_site_that_has_everything_is_ready(visitor: Visitor) -> None:
    response = await visitor.get("/readyz", headers={"Host": "10.0.0.7:8000"})

    assert response.status_code == 200
    assert visitor.text == "redis: ok\ndatabase: ok\n"
    assert response.headers["Cache-Control"] == "no-store"


async def test_without_redis_the_site_is_alive_but_not_ready(probe: Visitor, server: RedisServer) -> None:
    server.kill9()

    assert await status(probe) == 503
    assert probe.text == "redis: does not answer\ndatabase: ok\n"
    assert await status(probe, "/healthz") == 200


async def test_a_redis_that_hangs_hangs_nobody_who_asks(probe: Visitor, server: RedisServer) -> None:
    server.pause()
    began = time.monotonic()

    assert await status(probe) == 503
    assert time.monotonic() - began < 3
    assert "redis: no answer within 2 s" in probe.text
    assert await status(probe, "/healthz") == 200


async def test_a_redis_that_is_back_makes_the_site_ready(probe: Visitor, server: RedisServer) -> None:
    server.kill9()
    assert await status(probe) == 503
    server.start()

    async with asyncio.timeout(10):
        while await status(probe) != 200:  # noqa: ASYNC110  it is looked at once a second
            await asyncio.sleep(0.1)


async def test_without_its_database_the_site_is_alive_but_not_ready(app: Quart, visitor: Visitor) -> None:
    there = app.extensions["database"]
    app.extensions["database"] = away = Database("postgresql+asyncpg://quarq:secret@127.0.0.1:1/site")

    assert await status(visitor) == 503
    assert visitor.text == "redis: ok\ndatabase: does not answer\n"
    assert await status(visitor, "/healthz") == 200
    app.extensions["database"] = there
    await away.close()


async def test_a_hundred_who_ask_at_once_are_one_look(visitor: Visitor, redis: Redis) -> None:
    await redis.config_resetstat()

    await asyncio.gather(*(visitor.client.get("/readyz") for _ in range(100)))

    pings = (await redis.info("commandstats"))["cmdstat_ping"]["calls"]
    assert pings <= 2  # a new connection begins with one of its own

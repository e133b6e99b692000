"""What machines are told: that the process lives, and which part of what it needs is away."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from quart import Quart
from redis.asyncio import Redis

from app import create_app
from app.database import Database
from jobs import monitor, send_task
from settings import Settings
from tests.app.visitor import Visitor
from tests.app.working import working
from tests.redis_server import RedisServer
from tests.waiting import wait_until


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


async def is_ready(probe: Visitor) -> bool:
    return await status(probe) == 200


async def says(probe: Visitor, text: str) -> bool:
    await status(probe)
    return text in probe.text


async def test_a_site_that_has_everything_is_ready(visitor: Visitor, settings: Settings) -> None:
    async with working(settings):
        await wait_until(lambda: is_ready(visitor), "the worker to be seen")
        response = await visitor.get("/readyz", headers={"Host": "10.0.0.7:8000"})

    assert response.status_code == 200
    assert visitor.text == "redis: ok\ndatabase: ok\nworkers: ok\njobs: ok\n"
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_site_without_a_worker_is_not_ready(visitor: Visitor, settings: Settings) -> None:
    assert await status(visitor) == 503
    assert "redis: ok\ndatabase: ok\n" in visitor.text
    assert f"workers: none that is online serves {', '.join(settings.queues)}" in visitor.text


async def test_a_job_that_waits_for_ever_makes_the_site_unready(app: Quart, visitor: Visitor) -> None:
    await send_task("demo.log", ("Message",))
    await status(visitor)
    assert "jobs: ok" in visitor.text
    redis = app.extensions["redis"]
    await redis.set("jobs:test:clock", 700_000)

    await wait_until(lambda: says(visitor, "jobs: the oldest due one waits since 7"), "the job to be late")

    await monitor.pause(redis, "default")
    await wait_until(lambda: says(visitor, "jobs: ok"), "a paused queue to be left alone")


async def test_without_redis_the_site_is_alive_but_not_ready(probe: Visitor, server: RedisServer) -> None:
    server.kill9()

    assert await status(probe) == 503
    assert probe.text.startswith("redis: does not answer\ndatabase: ok\n")
    assert await status(probe, "/healthz") == 200


async def test_a_redis_that_hangs_hangs_nobody_who_asks(probe: Visitor, server: RedisServer) -> None:
    server.pause()
    began = time.monotonic()

    assert await status(probe) == 503
    assert time.monotonic() - began < 3
    assert re.search("^redis: (no answer within 2 s|does not answer)$", probe.text, re.MULTILINE)
    assert await status(probe, "/healthz") == 200


async def test_a_redis_that_is_back_is_seen_again(
    probe: Visitor, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await status(probe)
    server.kill9()
    await wait_until(lambda: says(probe, "redis: does not answer"), "Redis to be missed")
    server.start()

    await wait_until(lambda: says(probe, "redis: ok"), "Redis to be seen")

    said = [message for message in caplog.messages if "ready" in message and "redis" in message]
    assert said == ["not ready: redis: does not answer", "ready again: redis"]


@pytest.mark.both_databases("the database is busy or away")
async def test_without_its_database_the_site_is_alive_but_not_ready(app: Quart, visitor: Visitor) -> None:
    there = app.extensions["database"]
    app.extensions["database"] = away = Database("postgresql+asyncpg://quarq:secret@127.0.0.1:1/site")

    assert await status(visitor) == 503
    assert visitor.text.startswith("redis: ok\ndatabase: does not answer\n")
    assert await status(visitor, "/healthz") == 200
    app.extensions["database"] = there
    await away.close()


async def test_a_hundred_who_ask_at_once_are_one_look(visitor: Visitor, redis: Redis) -> None:
    await redis.config_resetstat()

    await asyncio.gather(*(visitor.client.get("/readyz") for _ in range(100)))

    pings = (await redis.info("commandstats"))["cmdstat_ping"]["calls"]
    assert pings < 10  # a new connection begins with one of its own

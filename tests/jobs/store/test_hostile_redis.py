"""What somebody else writes to Redis, in each family of our keys: no worker stops, nothing that people see fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from arq.worker import create_worker
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs import connect, every, group, monitor, worker_settings
from jobs.client.connection import JobsRedis
from jobs.contrib import wrong_types
from jobs.store.keys import NAMES, NO_PREFIX
from tests.jobs.commands.conftest import run_command
from tests.jobs.key_table import CHANNELS, table
from tests.jobs.store.hostile import write_garbage, write_wrong, written_over
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import stop_at_once
from tests.jobs.worker.questions import questions
from tests.waiting import wait_until


def test_the_types_are_those_of_the_table() -> None:
    documented = table()
    for name, kind in NO_PREFIX.types.items():
        key = f"{name}x" if name.endswith(":") else name
        fitting = max((p for p in documented if p.fullmatch(key)), key=lambda p: len(p.pattern))
        assert documented[fitting] == kind, name
    lists = set(NAMES.values()) - {"jobs:", "jobs:aside:"} - set(CHANNELS)
    assert lists <= NO_PREFIX.types.keys()


@pytest.fixture
async def busy(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[JobsRedis]:
    """A Redis where one of everything is, and a worker that goes on through all of it."""
    monkeypatch.setattr(wrong_types, "SCAN_AGAIN_S", 0)
    async with connect(redis_url) as connection:
        settings = worker_settings(
            redis_url=redis_url, tasks=tasks.ALL, handle_signals=False, poll_delay=0.1, max_jobs=20,
            lease=2, lease_renewal=0.2, cron_jobs=[every(tasks.log, timedelta(seconds=0.3), name="tick", args=("t",))],
        )  # fmt: skip
        worker = create_worker(settings)
        running = asyncio.create_task(worker.main())
        worker.main_task = running
        yield connection
        await stop_at_once(worker)
        await asyncio.gather(running, return_exceptions=True)


async def one_of_everything(connection: JobsRedis) -> tuple[Any, Any, Any]:
    await monitor.set_rate_limit(connection, "tests.log", "1000/s")
    flow = await group(tasks.multiply.s(1, 1), tasks.fail.s()).delay()
    ended = await tasks.multiply.delay(1, 2)
    waiting = await tasks.multiply.apply_async((1, 1), countdown=3600)
    running = await tasks.nap.delay(60)
    await tasks.log.delay("limited")
    await connection.enqueue_job("unknown")
    await monitor.pause(connection, "paused")
    await monitor.note(connection, "w", "w", "t", "r")
    await asyncio.gather(flow.get(timeout=10, propagate=False), ended.get(timeout=10))
    await wait_until(lambda: _started(running), "it to run")
    return ended, waiting, flow


async def _started(result: Any) -> bool:
    return await result.state() == "STARTED"


@pytest.mark.parametrize("write", [write_wrong, write_garbage])
async def test_no_family_of_keys_stops_a_worker_or_breaks_what_people_see(
    busy: JobsRedis, redis: Redis, redis_url: str, write: Callable[[Redis, bytes, str], Any]
) -> None:
    problems = {}
    things = await one_of_everything(busy)
    for n, (family, kind) in enumerate(NO_PREFIX.types.items()):
        await written_over(redis, family, kind, write)
        bad = await seen_badly(busy, redis_url, things, n)
        try:
            assert await (await tasks.multiply.delay(2, 3)).get(timeout=20) == 6
        except Exception as error:
            bad["a job"] = repr(error)
        if bad:
            problems[family] = bad
    assert not problems


@pytest.mark.parametrize("value", [b"9" * 400, b"1e999", b"nan"])
async def test_a_rate_limit_with_damaged_times_lets_jobs_start(busy: JobsRedis, redis: Redis, value: bytes) -> None:
    await monitor.set_rate_limit(busy, "tests.multiply", "100/s")
    await redis.hset(busy.key.RATE + "tests.multiply", mapping={"tat": value, "next": value})

    assert await (await tasks.multiply.delay(2, 3)).get(timeout=5) == 6


async def test_a_call_that_was_refused_for_a_wrong_key_can_be_made_again_after_a_worker_has_looked(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = partial(group(tasks.multiply.s(2, 3)).apply_async, task_id="once")
    settings = worker_settings(redis_url=redis_url, tasks=tasks.ALL, burst=True, handle_signals=False, poll_delay=0.1)
    await redis.set("jobs:workflows", "no sorted set")
    monkeypatch.setattr(wrong_types, "_looked", time.monotonic())  # no scan now: the key stays

    async with connect(redis_url):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await call()
        await create_worker(settings).main()
        await redis.delete("jobs:workflows")
        result = await call()
        await create_worker(settings).main()

        assert await result.get(timeout=1) == [6]


async def seen_badly(connection: JobsRedis, redis_url: str, things: tuple[Any, Any, Any], turn: int) -> dict[str, str]:
    """The questions and commands that fail, other than by saying what cannot be done: each turn tries some of them."""
    bad = {}
    for n, (name, asked) in enumerate(questions(connection, *things)):
        if n % SLICES != turn % SLICES or not name.startswith(("monitor.", "Result.")) or name in STOPS:
            asked.close()  # type: ignore[attr-defined]
            continue
        try:
            await asyncio.wait_for(asked, 5)
        except monitor.QuarqError:
            pass
        except Exception as error:
            bad[name] = repr(error)
    ended, waiting, _ = things
    words = COMMANDS[turn % len(COMMANDS)]
    of = {"result": [ended.id], "why": [waiting.id]}.get(words[0], [])
    answer = await asyncio.to_thread(run_command, ["--redis-url", redis_url, *words, *of])
    silent = answer.code == 69 and "no worker answers" in answer.err  # its next sign of life is on its way
    if not (answer.code in (0, 1) or silent) or "Traceback" in answer.err:
        bad[" ".join(words)] = answer.err
    return bad


SLICES = 5
STOPS = ("monitor.pause", "monitor.pause_limit")  # After these no job would run.
COMMANDS = [
    words.split()
    for words in ("status", "inspect active", "inspect stats", "inspect queued", "inspect scheduled", "schedules",
                  "workflows", "inspect registered", "result", "why")
]  # fmt: skip

"""The audit: every action leaves a line, whatever happens to those who act."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from jobs.client.connection import JobsRedis
from jobs.monitor import QuarqError, audit, note, noted, purge
from jobs.store import keys
from jobs.store.keys import Keys
from tests.jobs.worker import tasks

KILLED = """
import asyncio, os, signal
from jobs import connect, monitor

async def main():
    async with connect(os.environ["REDIS_URL"]) as redis:
        async def do():
            await monitor.pause(redis, "default")
            os.kill(os.getpid(), signal.SIGKILL)
        await monitor.noted(redis, "owner", "pause queue", "default", do)

asyncio.run(main())
"""


async def test_an_action_whose_process_is_killed_stands_in_the_audit(connection: JobsRedis, redis_url: str) -> None:
    environ = {**os.environ, "REDIS_URL": redis_url}

    killed = subprocess.run([sys.executable, "-c", KILLED], env=environ, timeout=30)

    assert killed.returncode == -signal.SIGKILL
    assert await connection.sismember(Keys.PAUSED, "default")  # type: ignore[misc]
    [entry] = (await audit(connection)).rows
    assert (entry.who, entry.what, entry.target) == ("owner", "pause queue", "default")
    assert entry.result.startswith("Begun.")


async def test_an_action_has_one_line_before_and_after_it(connection: JobsRedis) -> None:
    meanwhile: list[str] = []

    async def do() -> int:
        meanwhile.extend(entry.result for entry in (await audit(connection)).rows)
        return 3

    assert await noted(connection, "owner", "purge", "mail", do, lambda n: f"{n} jobs ended") == 3

    assert [result.split(".")[0] for result in meanwhile] == ["Begun"]
    assert [entry.result for entry in (await audit(connection)).rows] == ["3 jobs ended"]


async def test_a_full_redis_can_be_emptied_and_it_is_noted(connection: JobsRedis) -> None:
    result = await tasks.log.delay("fills it")
    await connection.config_set("maxmemory", "1mb")
    try:
        ended = await noted(connection, "owner", "purge", "default", lambda: purge(connection, [result.id]))
    finally:
        await connection.config_set("maxmemory", "0")

    assert ended == 1
    assert await result.state() == "REVOKED"
    assert [entry.result for entry in (await audit(connection)).rows] == ["1"]


async def test_an_action_that_was_refused_says_why_in_the_audit(connection: JobsRedis) -> None:
    async def do() -> str:
        raise QuarqError("too late")

    with pytest.raises(QuarqError):
        await noted(connection, "owner", "revoke", "a-job", do)

    assert [entry.result for entry in (await audit(connection)).rows] == ["too late"]


async def test_the_audit_says_who_did_what_the_newest_first(connection: JobsRedis) -> None:
    for n in range(7):
        await note(connection, "owner", "retry", f"job-{n}", "早" * 1000)

    first = await audit(connection, limit=5)
    second = await audit(connection, cursor=first.next, limit=5)

    assert [entry.target for entry in first.rows] == [f"job-{n}" for n in (6, 5, 4, 3, 2)]
    assert [entry.target for entry in second.rows] == ["job-1", "job-0"]
    assert (second.next, first.rows[0].who, first.rows[0].what) == ("", "owner", "retry")
    assert len(first.rows[0].result) == 500
    assert datetime.now(UTC) - first.rows[0].at < timedelta(minutes=1)
    for cursor in ("x", "1", "1-", "٣-٣", f"{'9' * 20}-1"):
        with pytest.raises(ValueError, match="take it from the page before"):
            await audit(connection, cursor=cursor)


async def test_the_audit_is_bounded(connection: JobsRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "AUDIT_LENGTH", 100)
    for n in range(400):
        await note(connection, "owner", "retry", str(n), "ok")

    assert await connection.xlen(Keys.AUDIT) <= 300


async def test_half_of_a_surrogate_pair_in_an_error_is_noted_as_its_escape(connection: JobsRedis) -> None:
    async def refused() -> None:
        raise QuarqError("no '\ud800' here")

    with pytest.raises(QuarqError):
        await noted(connection, "ann", "reschedule", "one", refused)
    assert [entry.result for entry in (await audit(connection)).rows] == [r"no '\ud800' here"]

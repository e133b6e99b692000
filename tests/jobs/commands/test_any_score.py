"""A score may be any number: another producer wrote it, or an earlier release. All that reads a queue goes on."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from jobs import Result, chain, monitor, monitor_site
from jobs.client.connection import JobsRedis
from jobs.monitor import why
from jobs.store import keys
from jobs.store.call import Call
from jobs.store.keys import Keys
from jobs.store.stored_values import moment, moment_of, whole_ms
from jobs.testing import enqueued
from jobs.worker.execution.outcome_encoding import pack_row
from tests.jobs.commands.conftest import Cli
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker

LATER = ["inf", "+inf", "1e300", "1e18", "253402300799999", "9007199254740993"]
DUE = ["-inf", "-1e300", "-1", "0", "0.5"]
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


async def plant(redis: Redis, scores: list[str]) -> list[str]:
    """Three jobs of each score: a stock producer's, ours with another due time, and as a release before stored it."""
    ids = []
    for score in scores:
        for kind in ("stock", "ours", "before"):
            job = await tasks.multiply.apply_async((2, 2), countdown=60, task_id=f"{kind} {score}")
            if kind == "stock":
                await redis.delete(Keys.RECORD + job.id)
            elif kind == "before":
                await redis.hset(Keys.RECORD + job.id, mapping={"due": score, "expires": "inf"})
            await redis.zadd(Keys.QUEUE, {job.id: score})
            ids.append(job.id)
    return ids


@pytest.fixture
async def planted(redis: Redis, connection: JobsRedis) -> list[str]:
    return await plant(redis, DUE + LATER)


def no_json(word: str) -> None:
    pytest.fail(f"{word} is no JSON")


COMMANDS = [
    *(f"inspect {what}" for what in ("active", "scheduled", "reserved", "registered", "revoked", "queued", "stats")),
    "status", "purge", "purge --scheduled", "schedules", "workflows", "events -t 0.05", "control pause default",
    "control resume default", "call tests.multiply -a [2,2]",
]  # fmt: skip
OF_A_JOB = ["result", "why"]


async def test_every_command_reads_it(planted: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in [command.split() for command in COMMANDS] + [[one, job] for one in OF_A_JOB for job in planted]:
        for flags in ([], ["--json"]):
            said = await cli(*words, *flags)
            assert said.code in (0, 1, 69), (words, said.err)
            assert "Traceback" not in said.err
            if flags and said.out and words[0] != "events":
                json.loads(said.out, parse_constant=no_json)
    shown = await cli("inspect", "scheduled", "--json")
    assert {f"stock {score}" for score in LATER} <= {job["id"] for job in shown.json}
    shown = await cli("inspect", "queued", "--json")
    assert {f"stock {score}" for score in DUE} <= {job["id"] for job in shown.json}

    said = await cli("purge", "--scheduled", "-f")
    assert said.code == 0, said.err
    assert {await Result(job).state() for job in planted} == {"REVOKED"}


async def test_every_reader_of_the_library_reads_it(planted: list[str], connection: JobsRedis) -> None:
    for job_id in planted:
        detail = await monitor_site.job(connection, job_id)
        assert detail is not None
        assert detail.row is not None
        assert all(FIRST <= reason.until <= LAST for reason in await why(connection, job_id) if reason.until)
        if not job_id.startswith("stock"):
            info = await Result(job_id).info()
            assert info.due is not None
            assert FIRST <= info.due <= LAST
    seen = [job.id for job in await enqueued()]
    assert sorted(seen) == sorted(planted)
    for job in await enqueued():
        assert FIRST <= job.due <= LAST
    assert [queue.name for queue in await monitor.queues(connection)] == ["default"]
    for figure in ((await monitor_site.overview(connection)).queues, *await monitor.queues(connection)):
        assert math.isfinite(figure.oldest_due_s)
    found: list[str] = []
    cursor = "-"
    while cursor:  # a page for each job, so that a cursor has each score
        page = await monitor.find(connection, cursor="" if cursor == "-" else cursor, limit=1)
        found += [row.id for row in page.rows]
        cursor = page.next
    assert sorted(set(found)) == sorted(planted)
    for read in (monitor_site.tasks, monitor.workers, monitor.broker, monitor_site.workflows, monitor.schedules):
        await read(connection)  # type: ignore[operator]


async def test_a_worker_runs_what_is_due_and_leaves_the_rest(
    planted: list[str], start_worker: StartWorker, connection: JobsRedis
) -> None:
    await start_worker(lease_renewal=0.1)

    for score in DUE:
        for kind in ("stock", "ours", "before"):
            assert await Result(f"{kind} {score}").get(timeout=5) == 4
    assert await (await tasks.multiply.delay(3, 3)).get(timeout=5) == 9
    await chain(tasks.multiply.s(2, 2), tasks.multiply.s(3)).delay()
    for kind in ("stock", "ours", "before"):
        for score in LATER:
            job = Result(f"{kind} {score}")
            assert await job.state() == "PENDING"
            assert await job.reschedule(datetime.now(UTC))
            assert await job.get(timeout=5) == 4


def raw(due: str, expires: str = "") -> Call:
    return Call(f"due {due[:9]} {expires[:9]}", "default", b"\x80", "tests.multiply", due, expires)


MOMENTS = ["+" + "5" * 1000, "5" * 400, "1e300", "-1e300", "inf", "-inf", "nan", "+inf", "+nan", "-5", "1.5"]


@pytest.mark.parametrize("text", MOMENTS)
async def test_what_is_written_is_a_moment_whatever_is_sent(redis: Redis, connection: JobsRedis, text: str) -> None:
    """A producer of an earlier release sends what it was given; `'5' * 1000` was `countdown="5"`."""
    await connection.enqueue([raw(text), raw("", text), raw("+5", text)])
    job = await tasks.multiply.apply_async((2, 2), countdown=60)
    await connection.run_script("reschedule", job.id, text)
    await connection.run_script("claim", "w", "token", 1000, 9, 1, "default")
    claimed = await redis.zrange("jobs:leases:default", 0, -1)
    for job_id in claimed:
        retry = pack_row((job_id, "token", "RETRY", 0, float(text), "0", b"", "", -1, 0)), b""
        await connection.run_script("finish", "w", 10, "", *retry)

    for key in await redis.keys("*"):
        if await redis.type(key) == b"zset":
            for member, score in await redis.zrange(key, 0, -1, withscores=True):
                assert 0 <= score <= keys.LAST_MS, (key, member, score)
    for job_id, _ in await redis.zrange(Keys.QUEUE, 0, -1, withscores=True):
        record = await redis.hmget(Keys.RECORD + job_id.decode(), "due", "expires")
        assert all(0 <= float(value) <= keys.LAST_MS for value in record if value is not None)


@pytest.mark.parametrize("text", ["x", "+", "+x", "1 2", "--5"])
async def test_what_is_no_number_is_refused_before_anything_is_written(
    redis: Redis, connection: JobsRedis, text: str
) -> None:
    for call in (raw(text), raw("", text)):
        with pytest.raises(Exception, match="not a moment"):
            await connection.enqueue([call])

    assert await redis.dbsize() == 0


def test_the_clock_reads_any_number() -> None:
    for number in (math.nan, math.inf, -math.inf, 1e300, -1e300, b"inf", "nan", b"-inf", "9" * 5000, b"1e300"):
        at = moment_of(whole_ms(number))
        assert FIRST <= at <= LAST
        assert moment(number) == at
    assert moment(b"") is None
    assert moment(None) is None

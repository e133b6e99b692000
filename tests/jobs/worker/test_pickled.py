"""Jobs that arq pickled before the exchange: run for functions where a worker accepts pickle, a sentence elsewhere."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.cron import cron
from arq.jobs import Job
from arq.worker import func
from redis.asyncio import Redis

from jobs import Result, encoding
from jobs.client.connection import JobsRedis
from jobs.contrib import pickled
from jobs.errors import EncodingError, RemoteError, TaskRevoked
from jobs.monitor_site import job_detail
from tests.jobs.worker import tasks
from tests.jobs.worker.arq_tasks import T, enough, nap, runs
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


@dataclasses.dataclass
class Order:
    """What only pickle carries."""

    number: int
    file: Any = None


async def describe(ctx: dict[Any, Any], value: Any, *, key: Any = None) -> str:
    runs.append((value, key))
    return f"{type(value).__name__} {value!r} {key!r}"


@pytest.fixture
async def before(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A producer that nobody has changed."""
    pool = await create_pool(RedisSettings(unix_socket_path=redis_url.removeprefix("unix://")))
    yield pool
    await pool.aclose()
    runs.clear()


VALUES: list[Any] = [
    "text",
    (1, (2,)),
    {"a": {1, 2}},
    datetime(2026, 1, 1, tzinfo=UTC),
    Decimal("1.5"),
    Order(7),
    [Order(1), Order(2)],
    int,
    io.StringIO,
    b"\x80\x04",
    "\ud800",
    2**80,
    None,
]


async def test_a_pickled_job_of_a_function_runs_with_what_was_sent(
    before: ArqRedis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(**enough(functions=[describe], accept_pickle=True))
    for value in VALUES:
        runs.clear()
        job = await before.enqueue_job("describe", value, key=value)
        assert job is not None

        told = await Result(job.job_id).get(timeout=T, propagate=False)

        assert runs == [(value, value)]
        if value == "\ud800":  # what it returned cannot be stored, and the job says so
            continue
        assert told == f"{type(value).__name__} {value!r} {value!r}"
        info = await Job(job.job_id, connection, _deserializer=connection.job_deserializer).result_info()
        assert info is not None
        assert info.function == "describe"
        assert info.args[0] in (value, repr(value))


async def test_every_protocol_of_pickle_is_read_and_a_broken_one_fails_its_own_job(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    call = {"t": None, "f": "describe", "a": (1,), "k": {}, "et": 1_700_000_000_000}
    good = {f"good {n}": pickle.dumps(call, n) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)}
    payloads = (b"\x80\x04", b"\x80\x04nonsense", pickle.dumps(5), pickle.dumps({"f": 5}))
    broken = {f"broken {n}": payload for n, payload in enumerate(payloads)}
    for job_id, payload in (good | broken).items():
        await redis.set(f"arq:job:{job_id}", payload)
        await redis.zadd("arq:queue", {job_id: 1})
    await start_worker(**enough(functions=[describe], accept_pickle=True))

    for job_id in good:
        assert await Result(job_id).get(timeout=T) == "int 1 None"
    for job_id in broken:
        with pytest.raises(RemoteError, match="unable to deserialize job"):
            await Result(job_id).get(timeout=T)


async def test_pickled_and_ours_run_side_by_side_with_retries_and_cron(
    before: ArqRedis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    old = await before.enqueue_job("f_defers", "Retry()", _job_id="old")
    new = await connection.enqueue_job("describe", 2)
    assert old is not None
    assert new is not None
    options = enough(accept_pickle=True, max_tries=2, cron_jobs=[cron(describe, hour=1)])
    await start_worker(**{**options, "functions": [*options["functions"], describe]})

    assert await new.result(timeout=T, poll_delay=0.05) == "int 2 None"
    assert "max 2 retries exceeded" in str(await Result("old").get(timeout=T, propagate=False))
    assert runs.count("f") == 2


async def test_without_the_option_a_pickled_job_fails_and_says_what_to_write(
    before: ArqRedis, connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker(**enough(functions=[describe], unknown_task_patience=0))
    for function in ("describe", "tests.multiply", "unknown"):
        job = await before.enqueue_job(function, 1)
        assert job is not None
        with pytest.raises(RemoteError, match=r"accept_pickle=True\) reads such jobs for functions=\[\.\.\.\]"):
            await Result(job.job_id).get(timeout=T)
        assert f"! {job.job_id}:{function} unable to deserialize job" in caplog.text
    assert runs == []


@pytest.mark.parametrize("options", [{}, {"accept_pickle": True, "tasks": [nap]}], ids=str)
async def test_a_pickled_job_waits_for_a_worker_that_can_run_it(
    redis: Redis,
    before: ArqRedis,
    connection: JobsRedis,
    start_worker: StartWorker,
    options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where `accept_pickle` or the function was taken away too early, or on one worker only."""
    caplog.set_level(logging.INFO, "arq.worker.jobs")
    job = await before.enqueue_job(nap.name, Order(1))
    assert job is not None
    worker = await start_worker(**options)
    await wait_until(lambda: redis.hget(f"jobs:job:{job.job_id}", "unknown"), "that worker to put it back")
    assert await Result(job.job_id).state() == "PENDING"
    await worker.close()
    await start_worker(functions=[func(describe, name=nap.name)], accept_pickle=True)
    await redis.zadd("arq:queue", {job.job_id: 1})

    assert await job.result(timeout=T, poll_delay=0.02) == f"Order {Order(1)!r} None"
    assert f"→ {job.job_id}:{nap.name}(Order(number=1, file=None))" in caplog.text  # no text in quotes


async def test_a_pickled_job_of_a_task_is_never_run(
    before: ArqRedis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    job = await before.enqueue_job("arq_options.nap", 0)
    assert job is not None
    await start_worker(**enough(accept_pickle=True, unknown_task_patience=0))

    with pytest.raises(RemoteError, match=r"nap is a task: accept_pickle=True reads pickled jobs for func"):
        await Result(job.job_id).get(timeout=T)
    assert runs == []


async def test_a_pickled_job_that_waits_is_shown_revoked_and_purged(
    redis: Redis, redis_url: str, before: ArqRedis, connection: JobsRedis
) -> None:
    """Without anybody unpickling it."""
    waiting = [await before.enqueue_job("describe", Order(n)) for n in range(2)]
    ids = [job.job_id for job in waiting if job is not None]

    def command(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "jobs", "--redis-url", redis_url, *words],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
        return ended.stdout

    queued = command("inspect", "queued")
    assert all(job_id in queued for job_id in ids)
    assert ids[0] in command("why", ids[0])
    await Result(ids[0]).revoke()
    assert await Result(ids[0]).state() == "REVOKED"
    with pytest.raises(TaskRevoked):
        await Result(ids[0]).get(timeout=T)
    assert ids[0] in command("result", ids[0])


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_worker_that_accepts_pickle_says_so_loudly(
    start_worker: StartWorker, caplog: pytest.LogCaptureFixture, accepted: bool
) -> None:
    caplog.set_level(logging.INFO, "arq.worker")
    await start_worker(**enough(accept_pickle=accepted))

    await wait_until(lambda: "Starting worker" in caplog.text, "its start")
    loud = [record for record in caplog.records if "CAN RUN ANY CODE" in record.message]
    assert [record.levelname for record in loud] == ["WARNING"] * accepted


def test_what_reads_pickle_is_not_loaded_with_the_library() -> None:
    code = (
        "import sys, jobs, jobs.testing, jobs.monitor, jobs.commands; "
        "from jobs import worker_settings; from arq.worker import create_worker; "
        "create_worker(worker_settings(redis_url='redis://localhost')); "
        "sys.exit('jobs.contrib.pickled' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=False).returncode == 0


def explode() -> None:
    runs.append("exploded")


class Bomb:
    """What is run by whoever unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return explode, ()


async def test_nothing_but_the_call_of_a_job_is_unpickled(
    redis: Redis, redis_url: str, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Not what is kept of other jobs, nor a pickle beside a call in msgpack."""
    bomb = pickle.dumps({"s": True, "r": Bomb(), "f": "describe", "a": (), "k": {}, "t": 1, "et": 1})
    good = [await connection.enqueue_job("describe", n, _job_id=f"job {n}") for n in range(3)]
    task = await tasks.multiply.delay(2, 3)
    call = encoding.dumps({"t": None, "f": "describe", "a": [7], "k": {}, "et": 1_700_000_000_000})
    await redis.set("arq:job:both", pickled.for_both(call, {"r": Bomb()}))
    await redis.zadd("arq:queue", {"both": 1})
    for field in ("log", "meta", "children", "retries", "expires", "worker"):
        await redis.hset(f"jobs:job:{good[0].job_id}", field, bomb)  # type: ignore[misc, union-attr]  # its stub
    await redis.mset({"arq:result:ended": bomb, "arq:retry:both": bomb})
    await redis.hset("jobs:tasks", mapping={"describe": bomb, "tests.multiply": bomb})  # type: ignore[misc]
    await redis.zadd("arq:abort", {bomb: 1})
    assert pickle.loads(await redis.get("arq:job:both")) == {"r": None}  # it is one to arq
    assert runs.pop() == "exploded"

    worker = await start_worker(**enough(functions=[describe], accept_pickle=True))
    assert await Result("both").get(timeout=T) == "int 7 None"
    assert await task.get(timeout=T) == 6
    for job in good[1:]:
        assert job is not None
        await Result(job.job_id).get(timeout=T)
    for reader in (connection, worker.pool):
        with pytest.raises(EncodingError, match=r"arq pickled it: .*job_deserializer=pickle.loads"):
            await Result("ended", reader).get(timeout=T)  # type: ignore[arg-type]  # a JobsRedis
        assert await job_detail.job(reader, "ended")  # type: ignore[arg-type]
        assert await job_detail.job(reader, "job 0")  # type: ignore[arg-type]
    assert "exploded" not in runs

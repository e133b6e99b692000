"""Every option of arq's worker means to arq's functions what arq documents, and to tasks the same, or is refused."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import pickle
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arq.connections import RedisSettings
from arq.cron import cron
from arq.worker import JobExecutionFailed, async_check_health, create_worker
from redis.asyncio import Redis

import jobs
from jobs import connect, crontab, group, send_task, worker_settings
from jobs.client.connection import JobsRedis
from jobs.errors import MaxRetriesExceeded, SettingsMistake, TimeLimitExceeded
from jobs.worker import Worker
from tests.jobs.worker import tasks
from tests.jobs.worker.arq_tasks import (
    TASKS,
    T,
    defers,
    enough,
    f,
    is_started,
    nap,
    nap_in_process,
    own_defers,
    own_limit,
    runs,
    stock_pool,
)
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def no_runs() -> None:
    runs.clear()


REFUSED: dict[str, tuple[Any, str]] = {
    "redis_settings": (RedisSettings(), "write redis_url="),
    "redis_pool": (JobsRedis.at("redis://localhost"), "write redis_url="),
    "queue_read_limit": (10, "leave it out: a worker claims for at most half of its slots at a time"),
    "allow_abort_jobs": (False, "every job can be aborted"),
}
"""Options that would have no effect, with what the refusal says."""

TAKEN = {
    "functions": "test_functions_and_tasks_run_side_by_side",
    "queue_name": "test_the_key_that_arq_serves_is_served",
    "cron_jobs": "test_a_cron_job_of_arq_goes_to_the_queue_of_its_worker",
    "burst": "test_what_ends_a_worker_ends_it",
    "on_startup": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "on_shutdown": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "on_job_start": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "on_job_end": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "after_job_end": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "handle_signals": "test_a_worker_leaves_signals_alone_if_it_is_told_to",
    "job_completion_wait": "test_a_shutdown_waits_as_long_as_it_is_told",
    "max_jobs": "test_no_more_than_max_jobs_run",
    "job_timeout": "test_job_timeout_ends_functions_and_tasks",
    "keep_result": "test_results_are_kept_as_long_as_the_worker_is_told",
    "keep_result_forever": "test_results_are_kept_as_long_as_the_worker_is_told",
    "poll_delay": "test_what_came_without_a_call_is_found_at_the_next_poll",
    "max_tries": "test_max_tries_bounds_functions_and_tasks",
    "health_check_interval": "test_the_health_record_is_where_arq_looks_for_it",
    "health_check_key": "test_the_health_record_is_where_arq_looks_for_it",
    "ctx": "test_every_hook_is_called_and_those_of_a_job_share_its_ctx",
    "retry_jobs": "test_without_retry_jobs_nothing_runs_again",
    "allow_abort_jobs": "test_a_stock_job_answers_as_arq_documents",
    "max_burst_jobs": "test_what_ends_a_worker_ends_it",
    "job_serializer": "test_serializers_that_were_given_are_used",
    "job_deserializer": "test_serializers_that_were_given_are_used",
    "expires_extra_ms": "test_jobs_expire_as_the_worker_is_told",
    "timezone": "test_the_time_zone_of_a_worker_is_that_of_its_schedules",
    "log_results": "test_results_are_logged_unless_the_worker_is_told_not_to",
}


def test_every_option_of_arq_is_taken_or_refused() -> None:
    options = set(inspect.signature(Worker.__mro__[1].__init__).parameters) - {"self"}

    assert TAKEN.keys() | REFUSED.keys() == options
    written = "".join(path.read_text() for path in Path(__file__).parent.glob("test_arq_*.py"))
    assert [name for name in TAKEN.values() if f"def {name}(" not in written] == []


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_without_effect_is_refused_where_it_is_written(option: str) -> None:
    value, said = REFUSED[option]

    with pytest.raises(SettingsMistake, match=rf"{option}.*{said}"):
        worker_settings(redis_url="redis://localhost", tasks=TASKS, **{option: value})


@pytest.mark.parametrize("options", [{}, {"redis_settings": RedisSettings()}], ids=["none", "those of arq"])
def test_a_worker_without_an_address_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="redis_url"):
        worker_settings(tasks=TASKS, **options)


async def test_functions_and_tasks_run_side_by_side(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(**enough())
    job = await connection.enqueue_job("f", 1)
    assert job is not None

    assert await job.result(timeout=T, poll_delay=0.05) == 1
    assert await (await tasks.multiply.delay(2, 2)).get(timeout=T) == 4


@pytest.mark.parametrize("key", ["mail", "arq:queue", "arq:queue:mail", "a:b:c", "=odd"])
async def test_the_key_that_arq_serves_is_served(
    redis: Redis, redis_url: str, start_worker: StartWorker, key: str
) -> None:
    """What a stock producer writes there is run, and so is what a job of this worker enqueues."""
    async with stock_pool(redis_url, key) as pool:
        job = await pool.enqueue_job("f_fans_out")
        assert await redis.zcard(key) == 1
        await start_worker(**enough(queue_name=key, max_jobs=2))

        assert await job.result(timeout=T, poll_delay=0.05) == "fanned out"
        assert (await job.result_info()).queue_name == key


async def test_the_key_of_arq_and_queues_are_served_together(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(**enough(queue_name="mail", queues=["low", "default"]))
    job = await connection.enqueue_job("f", _queue_name="mail")
    assert job is not None

    assert await job.result(timeout=T, poll_delay=0.05) == "f"
    for queue in ("low", "default"):
        assert await (await tasks.multiply.apply_async((2, 2), queue=queue)).get(timeout=T) == 4


@pytest.mark.parametrize("key", ["arq:job:1", "arq:abort", "jobs:tasks", "jobs:limits", "", None, 5, "a,b", "a\nb"])
def test_a_key_that_is_no_queue_is_refused(key: Any) -> None:
    with pytest.raises(SettingsMistake, match="queue_name="):
        worker_settings(redis_url="redis://localhost", tasks=TASKS, queue_name=key)


@pytest.mark.parametrize("queues", [["mail"], ["mail", "default"]])
async def test_a_job_enqueues_to_the_queue_of_its_worker(
    connection: JobsRedis, start_worker: StartWorker, queues: list[str]
) -> None:
    await start_worker(**enough(queues=queues, max_jobs=2))
    job = await connection.enqueue_job("f_fans_out", _queue_name="arq:queue:mail")
    assert job is not None

    assert await job.result(timeout=T, poll_delay=0.05) == "fanned out"
    assert await connection.zcard("arq:queue") == 0


async def test_a_cron_job_of_arq_goes_to_the_queue_of_its_worker(redis: Redis, start_worker: StartWorker) -> None:
    await start_worker(**enough(queue_name="mail", cron_jobs=[cron(f, hour=1, run_at_startup=True)]))

    await wait_until(lambda: runs, "the cron job to run")
    assert await redis.exists("arq:queue", "arq:queue:mail") == 0


@pytest.mark.parametrize(("options", "ran"), [({}, 3), ({"max_burst_jobs": 2}, 2), ({"max_burst_jobs": 0}, 0)])
async def test_what_ends_a_worker_ends_it(
    connection: JobsRedis, redis_url: str, options: dict[str, Any], ran: int
) -> None:
    await nap.apply_many([(0,)] * 3)
    left = await send_task("options.of_tomorrow")  # for a worker that knows it
    worker = create_worker(worker_settings(redis_url=redis_url, **enough(burst=True, handle_signals=False, **options)))

    async with asyncio.timeout(T):
        await worker.main()
    await worker.close()
    assert len(runs) == ran
    assert await left.state() == "PENDING"


@pytest.mark.parametrize("plain", [False, True])
async def test_every_hook_is_called_and_those_of_a_job_share_its_ctx(
    connection: JobsRedis, start_worker: StartWorker, plain: bool
) -> None:
    called: list[str] = []

    def hook(name: str) -> Any:
        def call(ctx: dict[Any, Any]) -> None:
            called.append(f"{name} {ctx['given']}")
            if name == "on_job_start":
                ctx["given"] = "a job's"

        async def awaited(ctx: dict[Any, Any]) -> None:
            call(ctx)

        return call if plain else awaited

    names = ["on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end"]
    worker = await start_worker(**enough(ctx={"given": "all"}, **{name: hook(name) for name in names}))
    too_often, job = [await connection.enqueue_job("f", _job_try=n) for n in (99, None)]  # the first is not started
    assert too_often is not None
    assert job is not None
    with pytest.raises(JobExecutionFailed, match="retries exceeded"):
        await too_often.result(timeout=T, poll_delay=0.05)
    await job.result(timeout=T, poll_delay=0.05)
    await (await nap.delay(0)).get(timeout=T)
    await wait_until(lambda: " ".join(called).count("after_job_end") == 2, "the hooks")
    await worker.close()

    of_jobs = {"on_job_start all": 2, "on_job_end a job's": 2, "after_job_end a job's": 2}
    assert Counter(called) == {"on_startup all": 1, "on_shutdown all": 1, **of_jobs}


def test_a_worker_leaves_signals_alone_if_it_is_told_to(redis_url: str) -> None:
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        for handled in (False, True):
            create_worker(worker_settings(redis_url=redis_url, tasks=TASKS, handle_signals=handled))
            assert runner.get_loop().remove_signal_handler(signal.SIGTERM) is handled
            runner.get_loop().remove_signal_handler(signal.SIGINT)


@pytest.mark.parametrize(("wait_s", "state"), [(0, "PENDING"), (T, "SUCCESS")])
async def test_a_shutdown_waits_as_long_as_it_is_told(
    connection: JobsRedis, start_worker: StartWorker, wait_s: float, state: str
) -> None:
    worker = await start_worker(**enough(job_completion_wait=wait_s))
    result = await nap.delay(0.5)
    await wait_until(lambda: runs, "the job to start")
    worker.handle_sig(signal.SIGTERM)
    await asyncio.wait([worker.main_task])  # type: ignore[list-item]  # it was set by main

    assert await result.state() == state


@pytest.mark.parametrize(
    ("max_jobs", "claims"), [(1, [1]), (3, [3]), (4, [4]), (10, [4, 5, 1]), (100, [6, 12, 24, 48, 10])]
)
async def test_no_more_than_max_jobs_run(
    connection: JobsRedis, start_worker: StartWorker, max_jobs: int, claims: list[int]
) -> None:
    """They are claimed a few at first, then twice as many, half of them at most."""
    worker = await start_worker(**enough(max_jobs=max_jobs))
    assert worker.engine is not None
    await (await tasks.nap.delay(0)).get(timeout=T)  # a worker is careful until its first job has ended
    *first, last = await tasks.nap.apply_many([*[(T,)] * max_jobs, (0,)])
    await wait_until(lambda: is_started(*first), "the jobs to start")

    assert await last.state() == "PENDING"
    assert list(Counter(held.job.token for held in worker.engine.held.values()).values()) == claims


@pytest.mark.parametrize("limit", [0.3, timedelta(seconds=0.3)], ids=str)
async def test_job_timeout_ends_functions_and_tasks(
    connection: JobsRedis, start_worker: StartWorker, limit: Any
) -> None:
    await start_worker(**enough(job_timeout=limit))
    job = await connection.enqueue_job("f_naps", T)
    several = [await nap.delay(T), await tasks.in_thread.delay(0.6), await nap_in_process.delay(T)]
    workflow = await group(tasks.nap.s(0.2), tasks.nap.s(0.2), max_concurrency=1).delay()
    longer = await own_limit.delay(0.5)
    assert job is not None

    with pytest.raises(TimeoutError):
        await job.result(timeout=T, poll_delay=0.05)
    for result in several:
        with pytest.raises(TimeLimitExceeded):
            await result.get(timeout=T)
    assert await longer.get(timeout=T) is None
    assert await workflow.get(timeout=T) == ["rested", "rested"]


@pytest.mark.parametrize(
    ("options", "function_s", "task_s"),
    [
        ({}, 3600, 86_400),
        ({"keep_result": 100}, 100, 100),
        ({"keep_result": timedelta(seconds=100)}, 100, 100),
        ({"keep_result": 0}, None, None),
        ({"keep_result_forever": True}, 10**9, 10**9),
        ({"keep_result_forever": True, "keep_result": 0}, 10**9, 10**9),
    ],
    ids=str,
)
async def test_results_are_kept_as_long_as_the_worker_is_told(
    redis: Redis,
    connection: JobsRedis,
    start_worker: StartWorker,
    options: dict[str, Any],
    function_s: int,
    task_s: int,
) -> None:
    worker = await start_worker(**enough(**options))
    await connection.enqueue_job("f", _job_id="function")
    await tasks.multiply.apply_async((1, 1), task_id="task")
    await own_limit.apply_async((0,), task_id="own")
    await wait_until(lambda: worker.statistics().counts["SUCCESS"] == 3, "the jobs to end")

    for job_id, kept_s in (("function", function_s), ("task", task_s), ("own", 1000)):
        left_s = await redis.ttl(f"arq:result:{job_id}")
        if kept_s is None:
            assert left_s == -2
        else:
            assert left_s > 10**8 if kept_s == 10**9 else kept_s - 30 < left_s <= kept_s


async def test_what_came_without_a_call_is_found_at_the_next_poll(
    redis: Redis, redis_url: str, start_worker: StartWorker
) -> None:
    """A stock producer does not wake the worker."""
    await start_worker(**enough(poll_delay=0.1))
    async with stock_pool(redis_url) as pool:
        job = await pool.enqueue_job("f")

        assert await job.result(timeout=T, poll_delay=0.05) == "f"


async def test_max_tries_bounds_functions_and_tasks(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(**enough(max_tries=3))
    job = await connection.enqueue_job("f_defers", "Retry()")
    assert job is not None

    with pytest.raises(JobExecutionFailed, match="max 3 retries exceeded"):
        await job.result(timeout=T, poll_delay=0.05)
    assert len(runs) == 3
    for one, tries in ((defers, 3), (own_defers, 2)):
        runs.clear()
        with pytest.raises(MaxRetriesExceeded):
            await (await one.delay("Retry()")).get(timeout=T)
        assert len(runs) == tries


@pytest.mark.parametrize(
    "options",
    [{}, {"health_check_key": "alive"}, {"queue_name": "mail"}, {"queue_name": "mail", "queues": ["default"]}],
    ids=str,
)
async def test_the_health_record_is_where_arq_looks_for_it(
    redis: Redis, redis_url: str, start_worker: StartWorker, options: dict[str, Any]
) -> None:
    later = await nap.apply_async((0,), countdown=3600)
    await start_worker(**enough(health_check_interval=30, **options))
    key = options.get("health_check_key", f"{options.get('queue_name', 'arq:queue')}:health-check")
    await wait_until(lambda: redis.exists(key), "the health record")
    settings = RedisSettings(unix_socket_path=redis_url.removeprefix("unix://"))

    assert await async_check_health(settings, options.get("health_check_key"), options.get("queue_name")) == 0
    assert 25 < await redis.ttl(key) <= 31
    waiting = options != {"queue_name": "mail"}  # in one of the queues that it serves
    assert (await redis.get(key)).endswith(b" queued=%d" % waiting)
    await redis.delete(key)
    await later.revoke()


def as_json(value: Any) -> bytes:
    return json.dumps(value, default=repr).encode()


@pytest.mark.parametrize(
    "serializers",
    [
        {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads},
        {"job_serializer": as_json, "job_deserializer": json.loads},
    ],
    ids=["pickle", "json"],
)
async def test_serializers_that_were_given_are_used(
    redis: Redis, redis_url: str, start_worker: StartWorker, serializers: dict[str, Any]
) -> None:
    """By functions, tasks, workflows, and for what was revoked before it ran."""
    await start_worker(**enough(**serializers))
    async with connect(redis_url, **serializers) as connection:
        job = await connection.enqueue_job("f", [1, 2], _job_id="one")
        result, workflow = (
            await tasks.multiply.delay(2, 3),
            await (tasks.multiply.s(2, 2) | tasks.multiply.s(3)).delay(),
        )
        waiting = await tasks.multiply.apply_async((1, 1), countdown=T)
        assert job is not None

        assert await job.result(timeout=T, poll_delay=0.05) == [1, 2]
        assert serializers["job_deserializer"](await redis.get("arq:result:one"))["r"] == [1, 2]
        assert await result.get(timeout=T) == 6
        assert await workflow.get(timeout=T) == 12
        assert await jobs.Result(f"{workflow.id}:0").get(timeout=T) == 4
        await waiting.revoke()
        assert await waiting.state() == "REVOKED"


@pytest.mark.parametrize(
    "defer",
    [{}, {"_defer_by": 100}, {"_defer_until": datetime.now(UTC) + timedelta(seconds=100)}],
    ids=["at once", "in a while", "at a time"],
)
async def test_jobs_expire_as_the_worker_is_told(redis: Redis, redis_url: str, defer: dict[str, Any]) -> None:
    """What `ctx["redis"]` enqueues, so long after it is due; without the option nothing expires by itself."""
    for extra_ms in (None, 50_000):
        options = {} if extra_ms is None else {"expires_extra_ms": extra_ms}
        pool = worker_settings(redis_url=redis_url, tasks=TASKS, **options).redis_pool  # type: ignore[attr-defined]
        job = await pool.enqueue_job("f", **defer)
        record = await redis.hgetall(f"jobs:job:{job.job_id}")  # type: ignore[misc]  # its stub
        await pool.aclose()
        expires_ms = int(record[b"expires"]) - int(record[b"due"]) if b"expires" in record else None
        assert expires_ms == pytest.approx(extra_ms, abs=1000) if extra_ms else expires_ms is None


def test_the_time_zone_of_a_worker_is_that_of_its_schedules() -> None:
    zone = "Asia/Tokyo"
    settings: Any = worker_settings(
        redis_url="redis://localhost", tasks=TASKS, timezone=zone, cron_jobs=[crontab(nap, args=(0,), hour=3)]
    )

    assert str(settings.timezone) == zone
    assert str(settings.cron_jobs[0].timezone) == zone


@pytest.mark.parametrize("shown", [True, False])
async def test_results_are_logged_unless_the_worker_is_told_not_to(
    start_worker: StartWorker, caplog: pytest.LogCaptureFixture, shown: bool
) -> None:
    caplog.set_level(logging.INFO, "arq.worker")
    await start_worker(**enough(log_results=shown))
    await (await tasks.log.delay("seen or not")).get(timeout=T)

    await wait_until(lambda: "←" in caplog.text, "the line of its end")
    assert ("● 'seen or not'" in caplog.text) is shown

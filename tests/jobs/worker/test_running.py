"""What becomes of a job: read this first to know what a worker does."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import time
import weakref
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import Result, current_job, task
from jobs.client.connection import JobsRedis
from jobs.errors import EncodingError, ResultUnknown, TaskRevoked, TimeLimitExceeded, TooLarge
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


async def test_a_job_returns_its_result_to_whoever_waits(start_worker: StartWorker) -> None:
    await start_worker()

    result = await tasks.multiply.delay(4, 4)

    assert await result.get(timeout=5) == 16
    assert await result.state() == "SUCCESS"
    assert await Result(result.id) == 16


async def test_a_value_comes_back_as_it_was_sent(start_worker: StartWorker) -> None:
    await start_worker()
    value = {"when": datetime.now(UTC), "pair": (1, {2, 3}), "bytes": b"\xff", "name": "早上好"}

    assert await (await tasks.log.delay(value)).get(timeout=5) == value


async def test_an_exception_is_raised_where_the_result_is_read(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.fail.delay("nothing works")

    with pytest.raises(ValueError, match="nothing works") as caught:
        await result.get(timeout=5)

    assert "Remote traceback" in caught.value.__notes__[0]
    assert await result.failed()


async def test_a_plain_function_runs_in_a_thread(start_worker: StartWorker) -> None:
    await start_worker()

    assert (await (await tasks.in_thread.delay()).get(timeout=5)).startswith("task_")


async def test_a_retry_waits_in_redis_and_counts(start_worker: StartWorker) -> None:
    await start_worker()

    assert await (await tasks.flaky.delay(2)).get(timeout=5) == 2


async def test_after_the_last_retry_the_exception_itself_is_the_result(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.flaky.delay(9)

    with pytest.raises(KeyError):
        await result.get(timeout=5)

    info = await result.info()
    assert (info.retries, info.attempts) == (2, 3)
    assert [attempt.outcome for attempt in info.history] == ["RETRY", "RETRY", "FAILURE"]
    for attempt in info.history:  # each with its traceback
        assert re.search(r'Traceback.*File ".*tasks\.py".*KeyError', attempt.text, re.DOTALL)


async def test_an_autoretry_keeps_its_traceback(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.auto.delay("/nowhere/at/all")
    await result.get(timeout=5, propagate=False)

    info = await result.info()
    assert len(info.history) > 1
    for attempt in info.history:
        assert re.search(r'Traceback.*File ".*tasks\.py".*FileNotFoundError', attempt.text, re.DOTALL)


@task(name="running.fails_at_length", autoretry_for=(ValueError,), default_retry_delay=0, max_retries=10)
async def fails_at_length() -> None:
    raise ValueError(7000 * "y")


async def test_a_full_log_of_attempts_loses_the_oldest(start_worker: StartWorker) -> None:
    await start_worker(tasks=[fails_at_length])
    result = await fails_at_length.delay()
    await result.get(timeout=10, propagate=False)

    history = (await result.info()).history
    assert [attempt.number for attempt in history] == [8, 9, 10, 11]
    assert [attempt.outcome for attempt in history] == 3 * ["RETRY"] + ["FAILURE"]
    assert all(100 * "y" in attempt.text for attempt in history)


async def test_an_exception_named_by_the_task_is_retried_by_itself(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.auto.delay("/nowhere/at/all")

    with pytest.raises(FileNotFoundError):
        await result.get(timeout=5)

    assert (await result.info()).retries == 3


async def test_a_job_past_its_time_limit_fails(start_worker: StartWorker) -> None:
    await start_worker()

    with pytest.raises(TimeLimitExceeded):
        await (await tasks.limited.delay(10)).get(timeout=5)


async def test_a_thread_past_its_time_limit_fails_at_once_and_keeps_its_slot(start_worker: StartWorker) -> None:
    tasks.released.clear()
    worker = await start_worker(max_jobs=1)
    late = await tasks.held_thread.delay()
    next_one = await tasks.multiply.delay(2, 3)

    try:
        with pytest.raises(TimeLimitExceeded):
            await late.get(timeout=10)
        assert worker.statistics().busy == 1
        assert await next_one.state() == "PENDING"
    finally:
        tasks.released.set()

    assert await next_one.get(timeout=10) == 6


async def test_jobs_start_in_the_order_of_their_calls(connection: JobsRedis) -> None:
    """Within a millisecond too, one by one or in bulk."""
    ids = [(await tasks.multiply.delay(i, i)).id for i in range(20)]
    for _ in range(12):  # at any moment of a millisecond
        ids += [result.id for result in await tasks.multiply.apply_many([(i, i) for i in range(500)])]

    assert [raw.decode() for raw in await connection.zrange("arq:queue", 0, -1)] == ids


async def test_a_deferred_job_starts_at_its_time(start_worker: StartWorker) -> None:
    await start_worker(poll_delay=5)
    began = time.monotonic()

    result = await tasks.multiply.apply_async((2, 2), countdown=0.5)

    assert await result.state() == "PENDING"
    assert await result.get(timeout=5) == 4
    assert 0.5 <= time.monotonic() - began < 3  # the poll would have been later


async def test_an_eta_in_the_past_is_due_now(start_worker: StartWorker) -> None:
    await start_worker()

    result = await tasks.multiply.apply_async((2, 2), eta=datetime.now(UTC) - timedelta(days=30))

    assert await result.get(timeout=5) == 4


async def test_one_task_id_is_one_job(connection: JobsRedis, start_worker: StartWorker) -> None:
    first = await tasks.multiply.apply_async((2, 2), task_id="the-one")
    second = await tasks.multiply.apply_async((3, 3), task_id="the-one")
    await start_worker()

    assert await first.get(timeout=5) == await second.get(timeout=5) == 4
    third = await tasks.multiply.apply_async((5, 5), task_id="the-one")
    assert await third.get(timeout=5) == 4

    await third.forget()
    assert await third.state() == "UNKNOWN"
    fourth = await tasks.multiply.apply_async((5, 5), task_id="the-one")
    assert await fourth.get(timeout=5) == 25


async def test_an_id_that_nobody_has_seen_is_unknown_and_not_pending(connection: JobsRedis) -> None:
    assert await Result("never").state() == "UNKNOWN"
    with pytest.raises(ResultUnknown, match="never"):
        await Result("never").get(timeout=5)


async def test_a_job_that_expired_is_revoked(connection: JobsRedis, start_worker: StartWorker) -> None:
    result = await tasks.multiply.apply_async((2, 2), expires=0.01)
    await asyncio.sleep(0.02)  # the time itself is what is tested
    await start_worker()

    with pytest.raises(TaskRevoked, match="expired"):
        await result.get(timeout=5)


async def test_a_revoked_job_never_starts(connection: JobsRedis, start_worker: StartWorker) -> None:
    waiting = await tasks.multiply.delay(2, 2)
    deferred = await tasks.multiply.apply_async((2, 2), countdown=3600)

    assert await waiting.revoke() == await deferred.revoke() == "PENDING"

    assert await waiting.state() == await deferred.state() == "REVOKED"
    worker = await start_worker()
    for result in (waiting, deferred):
        with pytest.raises(TaskRevoked):
            await result.get(timeout=5)
    assert worker.statistics().started == 0


async def test_a_running_job_is_stopped_only_if_asked_to_terminate(start_worker: StartWorker) -> None:
    await start_worker()
    patient, stopped = await tasks.nap.delay(0.5), await tasks.nap.delay(60)
    await wait_until(lambda: _all_started(patient, stopped), "both jobs to start")

    assert await patient.revoke() == "STARTED"
    await stopped.revoke(terminate=True)

    with pytest.raises(TaskRevoked):
        await stopped.get(timeout=2)
    assert await patient.get(timeout=5) == "rested"
    assert await patient.revoke() == "SUCCESS"
    assert await patient.state() == "SUCCESS"


async def _all_started(*results: Result) -> bool:
    return {await result.state() for result in results} == {"STARTED"}


async def test_revoking_an_unknown_job_changes_nothing(connection: JobsRedis, redis: Redis) -> None:
    assert await Result("nobody").revoke() == "UNKNOWN"
    assert await redis.keys() == []


async def test_a_result_that_cannot_be_stored_fails_the_job_and_says_why(start_worker: StartWorker) -> None:
    await start_worker()

    with pytest.raises(EncodingError, match=r"tests\.unstorable"):
        await (await tasks.unstorable.delay()).get(timeout=5)
    with pytest.raises(TooLarge, match=r"300,"):
        await (await tasks.large.delay(300_000)).get(timeout=5)
    assert len(await (await tasks.large.delay(200_000)).get(timeout=5)) == 200_000


async def test_an_argument_that_cannot_travel_is_refused_at_the_call(connection: JobsRedis, redis: Redis) -> None:
    with pytest.raises(EncodingError, match=r"tests\.log: argument 'message'.*object"):
        await tasks.log.delay(object())
    with pytest.raises(TooLarge, match="262,144 are allowed: store what is large elsewhere, and pass its place"):
        await tasks.log.delay("x" * 300_000)
    with pytest.raises(TypeError, match=r"tests\.multiply: missing a required argument: 'y'"):
        await tasks.multiply.delay(1)  # type: ignore[call-arg]

    assert await redis.keys() == []


async def test_jobs_that_wait_for_jobs_need_no_slot(start_worker: StartWorker) -> None:
    """A tree of 31 jobs on one slot: each waits for its two children."""
    await start_worker(max_jobs=1)

    assert await (await tasks.parent.delay(4)).get(timeout=20) == 16


async def test_progress_can_be_followed(start_worker: StartWorker) -> None:
    result = await tasks.progress.delay(5)
    seen = []
    following = asyncio.create_task(_collect(result, seen))
    await start_worker()

    await asyncio.wait_for(following, 10)

    assert seen[-1] == {"done": 5}
    assert await result.meta() == {"done": 5}
    assert await result.get(timeout=5) == "all"


async def _collect(result: Result, seen: list[object]) -> None:
    async for meta in result.progress():
        seen.append(meta)


async def test_a_task_knows_the_job_it_runs_in(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.who.delay()

    assert await result.get(timeout=5) == result.id


seen: list[weakref.ref[Any]] = []


@task(name="running.is_seen")
async def is_seen() -> None:
    seen.append(weakref.ref(current_job()))


async def test_an_ended_job_leaves_nothing_to_the_garbage_collector(start_worker: StartWorker) -> None:
    await start_worker(tasks=[is_seen])
    gc.disable()
    try:
        await (await is_seen.delay()).get(timeout=5)

        (job,) = seen
        await wait_until(lambda: job() is None, "it to be gone")
    finally:
        gc.enable()


async def test_nothing_unfinished_expires_and_what_has_ended_does(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    deferred = await tasks.multiply.apply_async((2, 2), countdown=3600)
    assert {await redis.ttl(key) for key in await redis.keys()} == {-1}

    await start_worker()
    done = await tasks.multiply.delay(2, 2)
    await done.get(timeout=5)

    assert await redis.ttl(f"arq:result:{done.id}") > 86_000
    for kind in ("arq:job", "arq:in-progress", "arq:retry", "jobs:waiters"):
        assert not await redis.exists(f"{kind}:{done.id}")
    assert await redis.ttl(f"arq:job:{deferred.id}") == -1


async def test_what_is_called_while_every_slot_is_used_starts_when_one_is_free(start_worker: StartWorker) -> None:
    """The worker was waiting for a wake token, and gave it back because it could not take."""
    await start_worker(max_jobs=2, poll_delay=20)
    running = [await tasks.nap.delay(0.3) for _ in range(2)]
    await wait_until(lambda: states_are(running, "STARTED"), "both slots to be used")

    after = await tasks.multiply.delay(2, 3)

    assert await after.get(timeout=5) == 6


async def states_are(results: list[Result], state: str) -> bool:
    return {await result.state() for result in results} == {state}


async def test_a_worker_that_is_stopping_leaves_the_wake_token_to_others(start_worker: StartWorker) -> None:
    first = await start_worker(poll_delay=30)
    busy = await tasks.nap.delay(1)
    await wait_until(lambda: first.statistics().running == 1, "it to be busy")
    await start_worker(poll_delay=30)
    first.handle_sig(signal.SIGUSR1)

    for number in range(3):
        assert await (await tasks.log.delay(number)).get(timeout=5) == number
    assert await busy.get(timeout=5) == "rested"

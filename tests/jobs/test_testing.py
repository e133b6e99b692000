"""What applications use in their own tests: eager mode, and a look at what was enqueued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import CurrentJob, Result, Signature, chord, connect, current_job, first, group, task
from jobs.errors import EncodingError, NotConnected, QuarqError, ResultUnknown, SoftTimeLimitExceeded, UnknownTask
from jobs.testing import assert_enqueued, eager, enqueued

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@pytest.fixture
def at_once() -> Iterator[None]:
    with eager():
        yield


@task(name="eager.multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="eager.log")
async def log(message: Any) -> Any:
    seen.append(message)
    return message


@task(name="eager.flaky", bind=True, max_retries=3, default_retry_delay=3600)
async def flaky(self: CurrentJob, failures: int) -> int:
    if self.request.retries < failures:
        raise self.retry(exc=OSError("not yet"))
    return self.request.retries


@task(name="eager.plain")
def plain(text: str) -> str:
    return text.upper()


@task(name="eager.parent")
async def parent() -> tuple[int, str | None]:
    child = await multiply.delay(3, 3)
    return await child.get(), current_job().request.id


@task(name="eager.unstorable")
async def unstorable() -> object:
    return object()


@task(name="eager.soft", soft_time_limit=0.05)
async def soft() -> None:
    await asyncio.sleep(30)


@task(name="eager.reports", bind=True)
async def reports(self: CurrentJob) -> None:
    await self.update_state(meta={"done": 1})


@task(name="eager.broken")
async def broken() -> None:
    raise ValueError("no luck")


@task(name="eager.failed")
async def failed(request: Any, error: BaseException, traceback: str) -> None:
    seen.append((request.task, repr(error), "no luck" in traceback))


async def test_a_call_has_ended_when_delay_returns(at_once: None) -> None:
    result = await multiply.delay(4, 4)

    assert await result.state() == "SUCCESS"
    assert await result.ready()
    assert await result.get() == 16
    assert await (await plain.delay("a")).get() == "A"


async def test_values_travel_as_they_would(at_once: None) -> None:
    value = {"when": datetime.now(UTC), "pair": (1, {2})}

    assert await (await log.delay(value)).get() == value
    assert seen[0] is not value
    with pytest.raises(EncodingError, match="argument 'message'"):
        await log.delay(object())
    with pytest.raises(EncodingError, match=r"the result of eager\.unstorable cannot be stored"):
        await (await unstorable.delay()).get()


async def test_retries_are_made_without_waiting(at_once: None) -> None:
    assert await (await flaky.delay(3)).get() == 3
    with pytest.raises(OSError, match="not yet"):
        await (await flaky.delay(4)).get()


async def test_a_task_that_calls_a_task_is_still_itself(at_once: None) -> None:
    result = await parent.delay()

    assert await result.get() == (9, result.id)
    with pytest.raises(QuarqError, match="no job is running here"):
        current_job()


async def test_links_are_followed(at_once: None) -> None:
    result = await multiply.apply_async((4, 4), link=[log.s(), multiply.s(4)], link_error=failed.s())
    assert await result.get() == 16
    assert seen == [16]

    await broken.apply_async(link_error=failed.s())
    assert seen[1:] == [("eager.broken", "ValueError('no luck')", True)]


async def test_workflows_run(at_once: None) -> None:
    members = [multiply.s(i, i + 5) for i in range(10)]

    assert await (await group(members).delay()).get() == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]
    assert await (await (multiply.s(10) | multiply.s(2)).delay(16)).get() == 320
    assert await (await chord(members[:3], log.s()).delay()).get() == [0, 6, 14]
    with pytest.raises(ValueError, match="no luck"):
        await (await group(multiply.s(1, 1), broken.s()).delay()).get()


async def test_the_first_of_several_results_is_given(at_once: None) -> None:
    results = [await multiply.delay(1, "x"), await multiply.delay(3, 2), await multiply.delay(2, 2)]

    assert await first([await flaky.delay(99), *results]) == "x"
    assert await first(results[1:]) == 6


async def test_a_soft_limit_is_kept(at_once: None) -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        await (await soft.delay()).get()


async def test_progress_and_forgetting_and_ids(at_once: None) -> None:
    result = await reports.apply_async(task_id="mine")

    assert await result.meta() == {"done": 1}
    assert [meta async for meta in result.progress()] == [{"done": 1}]
    assert await log.apply_async(("never",), task_id="mine") == result
    assert seen == []
    await result.forget()
    with pytest.raises(ResultUnknown):
        await result.get()


async def test_what_a_worker_does_not_know_fails(at_once: None) -> None:
    with pytest.raises(UnknownTask):
        await (await Signature("eager.nobody").delay()).get()


async def test_what_needs_redis_says_so(at_once: None) -> None:
    with pytest.raises(QuarqError, match="eager mode has no Redis"):
        await Result("x").reschedule(datetime.now(UTC))


@task(name="eager.of_ctx", bind=True)
async def of_ctx(self: CurrentJob) -> Any:
    return self.ctx["db"]


async def test_around_is_entered_and_ctx_is_there() -> None:
    @asynccontextmanager
    async def around(job: CurrentJob) -> AsyncIterator[None]:
        seen.append(f"in {job.name}")
        yield
        seen.append("out")

    with eager(around=around, ctx={"db": "shop"}):
        await log.delay("there")
        assert await (await of_ctx.delay()).get() == "shop"

    assert seen == ["in eager.log", "there", "out", "in eager.of_ctx", "out"]


async def test_eager_mode_ends_with_its_block() -> None:
    with eager():
        await log.delay("here")

    with pytest.raises(NotConnected):
        await log.delay("nowhere")


async def test_what_waits_can_be_asserted(redis_url: str) -> None:
    async with connect(redis_url):
        await log.delay("now")
        await log.apply_async(("later",), countdown=3600)
        await multiply.apply_async((4,), {"y": 5}, queue="other")

        [job] = await assert_enqueued(multiply, args=(4,), kwargs={"y": 5}, count=1)
        [_, later] = await assert_enqueued(log, count=2)
        await assert_enqueued("eager.log", args=("later",))
        await assert_enqueued(parent, count=0)

    assert job.queue == "other"
    assert later.due - datetime.now(UTC) > timedelta(minutes=59)


async def test_the_failure_shows_what_waits(redis_url: str, redis: Redis) -> None:
    async with connect(redis_url):
        await log.delay("now")

    with pytest.raises(AssertionError) as caught:
        await assert_enqueued(log, args=("then",), redis=redis)

    assert str(caught.value) == (
        "a call of eager.log with args=('then',) expected, 0 found; these wait:\n  eager.log args=('now',) kwargs={}"
    )
    assert len(await enqueued(redis)) == 1


async def serve(redis_url: str) -> Any:
    """An application in a thread, as a test client starts one: its lifespan connects, its handlers call."""
    async with connect(redis_url) as connection:
        job = await connection.enqueue_job("eager.log", "by name")
        assert job is not None
        results = [
            await multiply.delay(6, 7),
            await group(multiply.s(n, 2) for n in range(2)).delay(),
            Result(job.job_id),
        ]
        return [await result.get(timeout=5) for result in results]


async def test_eager_wins_over_the_connection_of_an_application(redis: Redis, redis_url: str) -> None:
    with eager():
        in_a_thread = await asyncio.to_thread(lambda: asyncio.run(serve(redis_url)))
        async with connect(redis_url):
            here = await serve(redis_url)
            with pytest.raises(QuarqError, match="eager mode has no Redis"):
                await enqueued()
        assert await (await multiply.delay(2, 2)).get() == 4

    assert in_a_thread == here == [42, [0, 2], "by name"]
    assert await redis.dbsize() == 0
    async with connect(redis_url):
        await multiply.delay(1, 1)
        assert len(await enqueued()) == 1

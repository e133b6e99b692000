"""Each run of a durable job is a run as any other: middleware, hooks, limits of time, revokes; and what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs import (
    CurrentJob,
    EventRefused,
    Middleware,
    QuarqError,
    Result,
    SoftTimeLimitExceeded,
    TaskRevoked,
    WrongValue,
    chain,
    current_job,
    task,
    wait_for_event,
)
from jobs.testing import Clock, Workers, eager
from jobs.worker import Worker
from tests.jobs.durable import durable_tasks as tasks
from tests.jobs.durable.durable_tasks import note, note_in_thread

seen: list[str] = []


def hear(word: str) -> Any:
    return lambda job, value: seen.append(f"{word} {value}")


class Seen(Middleware):
    async def run(self, job: CurrentJob, call_next: Any) -> Any:
        seen.append("enter")
        try:
            return await call_next(job)
        finally:
            seen.append("leave")


@task(
    name="durable.hooked", bind=True, max_retries=1, default_retry_delay=0, autoretry_for=(OSError,),
    on_success=hear("success"), on_failure=hear("failure"), on_retry=hear("retry"),
)  # fmt: skip
async def hooked(self: CurrentJob) -> str:
    try:
        await self.sleep(5)
    except asyncio.CancelledError as error:
        raise RuntimeError("code that hides a cancellation") from error
    if not self.request.retries:
        raise OSError("once")
    return "done"


@task(name="durable.soft", bind=True, soft_time_limit=0.1)
async def soft(self: CurrentJob) -> str:
    try:
        await self.step("hang", tasks.hang)
    except SoftTimeLimitExceeded:
        return await self.step("instead", note, "instead")
    return ""


@task(name="durable.tells_itself", bind=True)
async def tells_itself(self: CurrentJob) -> Any:
    async def send() -> None:
        assert self.request.id is not None
        await Result(self.request.id).send_event("word", "from a step")

    await self.step("send", send)
    return await self.wait_for_event("word")


@task(name="durable.revoked_while_it_runs", bind=True)
async def revoked_while_it_runs(self: CurrentJob) -> None:
    async def revoke() -> None:
        assert self.request.id is not None
        await Result(self.request.id).revoke()

    await self.step("revoke", revoke)
    await self.sleep(5)


@task(name="durable.plain_timeout", bind=True)
async def plain_timeout(self: CurrentJob, **options: Any) -> Any:
    return await self.step("x", note_in_thread, "x", **options)


@task(name="durable.in_process", bind=True, process=True)
def in_process(self: CurrentJob) -> Any:
    return self.blocking.step("x", note_in_thread, "x")


@task(name="durable.leaves_a_wait", bind=True)
async def leaves_a_wait(self: CurrentJob) -> str:
    left.append(asyncio.create_task(self.sleep(60)))  # type: ignore[arg-type]
    return await self.step("last", note, "last")


left: list[asyncio.Task[None]] = []


@task(name="durable.tasks_as_steps", bind=True)
async def tasks_as_steps(self: CurrentJob) -> list[Any]:
    """A task as the function of a step runs here, in this job."""
    found: list[Any] = [await self.step("task", tasks.child, "here")]
    return [*found, current_job() is self, await self.step("plain", plain_child, "there"), current_job() is self]


@task(name="durable.plain_child")
def plain_child(word: str) -> str:
    return word


@task(name="durable.ends_slowly", bind=True)
def ends_slowly(self: CurrentJob) -> str:
    seen.append("begin")
    try:
        self.blocking.sleep(5)
    finally:
        time.sleep(0.05)
        seen.append("end")
    return "done"


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    seen.clear()
    own = [hooked, soft, tells_itself, revoked_while_it_runs, plain_timeout, in_process, leaves_a_wait, tasks_as_steps]
    async with jobs_worker(tasks=[*tasks.ALL, *own], middleware=[Seen()]) as worker:
        worker.pool.replays = False
        yield worker


async def test_each_run_enters_middleware_and_hooks_hear_of_ends_alone(worker: Worker, jobs_clock: Clock) -> None:
    result = await hooked.delay()
    await jobs_clock.advance(minutes=1)

    assert await result.get(timeout=5) == "done"
    runs = ["enter", "leave"]
    assert seen == [*runs, "enter", "retry once", "leave", "enter", "success done", "leave"]


async def test_the_function_of_a_step_may_be_a_task(worker: Worker) -> None:
    assert await (await tasks_as_steps.delay()).get(timeout=5) == ["here", True, "there", True]
    with eager():
        assert await (await tasks_as_steps.delay()).get() == ["here", True, "there", True]


async def test_a_soft_time_limit_is_not_the_failure_of_a_step(worker: Worker) -> None:
    assert await (await soft.delay()).get(timeout=5) == "instead"


async def test_an_event_that_comes_before_the_wait_is_not_lost(worker: Worker) -> None:
    assert await (await tells_itself.delay()).get(timeout=5) == "from a step"


async def test_in_eager_mode_a_step_may_send_an_event() -> None:
    with eager():
        result = await tells_itself.delay()
        assert await result.get() == "from a step"
        with pytest.raises(EventRefused, match="it is SUCCESS"):
            await result.send_event("word")


async def test_a_revoke_while_it_runs_ends_it_where_it_would_wait(worker: Worker) -> None:
    error = await (await revoked_while_it_runs.delay()).get(timeout=5, propagate=False)
    assert isinstance(error, TaskRevoked)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"timeout": 5}, "cannot reach into a thread"),
        ({"key": 1.5}, "key"),
        ({"key": ""}, "1 to 200 characters"),
        ({"retries": -1}, "retries"),
        ({"on_change": "ignore"}, "give 'fail' or 'keep'"),
        ({"aliases": ["a#2"]}, "aliases"),
    ],
)
async def test_an_option_that_a_step_cannot_have(options: dict[str, Any], why: str) -> None:
    with eager():
        error = await (await plain_timeout.delay(**options)).get(propagate=False)
    assert isinstance(error, WrongValue | TypeError)
    assert why in str(error)


async def test_a_process_of_its_own_has_no_steps(worker: Worker) -> None:
    error = await (await in_process.delay()).get(timeout=20, propagate=False)
    assert "a task with process=True has no steps" in str(error)


async def test_called_directly_each_is_done_here_and_now() -> None:
    assert await tasks.keyed() == ["direct:charge", "direct:charge[7]"]
    assert await tasks.flows() == ["x", "y", "z"]
    assert await tasks.tries(2, 2) == 3
    with pytest.raises(QuarqError, match="no event 'word' reaches that"):
        await tasks.waits(1)


async def test_a_wait_that_code_has_left_behind_does_not_keep_its_end(worker: Worker, jobs_clock: Clock) -> None:
    result = await leaves_a_wait.delay()
    await jobs_clock.advance(minutes=5)
    assert await result.get(timeout=5) == "last"
    await asyncio.gather(*left, return_exceptions=True)


async def test_a_thread_ends_before_the_next_run_begins() -> None:
    seen.clear()
    with eager():
        assert await (await ends_slowly.delay()).get() == "done"
    assert seen == ["begin", "end", "begin", "end"]


async def test_in_eager_mode_a_wait_for_nothing_but_an_event_is_refused() -> None:
    with eager(), pytest.raises(QuarqError, match="waits for the event 'word', and nobody has sent it"):
        await tasks.waits.delay(1)


async def test_in_eager_mode_events_are_sent_before_the_call() -> None:
    with eager():
        for n in (1, 2):
            await Result("job").send_event("word", n)
        assert await (await tasks.waits.apply_async((2,), task_id="job")).get() == [1, 2]
        with pytest.raises(EventRefused, match="it is SUCCESS"):
            await Result("job").send_event("word", 3)

        await Result("flow").send_event("word", "yes")
        flow = await chain(tasks.child.si("x"), wait_for_event.si("word", timeout=60), tasks.child.s()).apply_async(
            task_id="flow"
        )
        assert await flow.get() == "yes"

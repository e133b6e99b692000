"""The worker of a test: what it takes, how it begins and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jobs import CurrentJob, Middleware, OutgoingCall, Result, Task, connect, group, task, worker_settings
from jobs.errors import NotConnected, QuarqError, QueueUnavailable, SettingsMistake
from jobs.testing import Workers, eager
from tests.waiting import wait_until

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@task(name="hosted.note")
async def note(word: Any = None) -> Any:
    return word


@task(name="hosted.calls_note")
async def calls_note() -> None:
    await note.delay()


class Seen(Middleware):
    """Notes what comes through it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, call: OutgoingCall, call_next: Any) -> Result:
        seen.append(f"{self.name} sends {call.task}")
        result: Result = await call_next(call)
        return result

    async def run(self, job: CurrentJob, call_next: Any) -> Any:
        seen.append(f"{self.name} runs {job.name}")
        return await call_next(job)


# Middleware


@pytest.mark.parametrize("as_settings", [False, True])
async def test_the_middleware_of_the_worker_is_around_calls_and_runs(jobs_worker: Workers, as_settings: bool) -> None:
    options: dict[str, Any] = {"tasks": [note, calls_note], "middleware": [Seen("worker's")]}
    block = jobs_worker(worker_settings(redis_url="redis://x", **options)) if as_settings else jobs_worker(**options)
    async with block:
        await (await calls_note.delay()).get(timeout=5)
        await jobs_worker.until_idle()

    words = [f"worker's {verb} hosted.{name}" for name in ("calls_note", "note") for verb in ("sends", "runs")]
    assert seen == words


@pytest.mark.parametrize("is_eager", [True, False])
async def test_calls_inside_a_connect_go_through_its_middleware_too(
    jobs_worker: Workers, redis_url: str, is_eager: bool
) -> None:
    """First through its own, then through that of the worker or of eager mode; through one of both once."""
    shared, mine, theirs = Seen("shared"), Seen("connect's"), Seen("block's")

    async def call() -> list[str]:
        seen.clear()
        await (await group(note.s(1)).delay()).get(timeout=5)
        return [word.removesuffix(" sends jobs.workflow") for word in seen if word.endswith("jobs.workflow")]

    async def application() -> None:
        async with connect(redis_url, middleware=[mine, shared]) as connection:
            assert await call() == ["connect's", "shared", "block's"]
            async with connect("redis://nobody.example:1"):
                assert await call() == ["connect's", "shared", "block's"]
            assert await (await connection.submit(note.s(2), {})).get(timeout=5) == 2
        assert await call() == ["shared", "block's"]

    if is_eager:
        with eager(middleware=[shared, theirs]):
            await application()
    else:
        async with jobs_worker(tasks=[note], middleware=[shared, theirs]):
            await application()


async def test_a_call_outside_the_block_is_told_of_it(jobs_worker: Workers) -> None:
    async with jobs_worker(tasks=[note]):
        await note.delay()
    with pytest.raises(NotConnected, match=r"call this inside `async with jobs_worker\(tasks=\[\.\.\.\]\):`"):
        await note.delay()


# What it is given


async def test_it_serves_the_queues_of_its_tasks(jobs_worker: Workers) -> None:
    mailed = note.with_options(queue="mail")
    async with jobs_worker(tasks=[mailed]) as worker:
        assert await (await note.apply_async(queue="mail")).get(timeout=5) is None
        assert await (await note.delay()).get(timeout=5) is None
        assert list(worker.engine.queues) == ["default", "mail"]
    async with jobs_worker(tasks=[mailed], queues=["other"]) as worker:
        assert list(worker.engine.queues) == ["other"]


@pytest.mark.parametrize(
    ("given", "options"),
    [(([note],), {}), ((note,), {}), (("settings",), {}), ((), {"tasks": [note], "redis_url": "redis://x"})],
)
async def test_what_it_cannot_take_is_refused(jobs_worker: Workers, given: Any, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsMistake, match=r"jobs_worker\(\) takes tasks=.* of worker_settings\(\), or the class"):
        await jobs_worker(*given, **options).__aenter__()


@pytest.mark.parametrize("form", [" {}", "{}?db=3", "{upper}?socket_timeout=9&max_connections=4"])
async def test_keys_are_deleted_at_any_address_that_a_worker_takes(redis_url: str, form: str) -> None:
    workers = Workers(form.format(redis_url, upper=redis_url.replace("unix:", "UNIX:")))
    async with workers(tasks=[note]) as worker:
        await note.delay()
        assert await worker.pool.keys(f"{workers.prefix}*")
        assert workers.prefix.startswith("{jobs-test-")
        assert workers.prefix.endswith("}:")
    async with connect(form.format(redis_url, upper=redis_url)) as connection:
        workers.forget()
        assert await connection.keys() == []


async def test_nothing_is_deleted_where_no_worker_has_begun() -> None:
    workers = Workers("unix:///nonexistent/redis.sock")
    with pytest.raises(QueueUnavailable):
        await workers(tasks=[note]).__aenter__()
    workers.forget()


# What does not end


@pytest.fixture
def impatient(jobs_worker: Workers, monkeypatch: pytest.MonkeyPatch) -> Workers:
    monkeypatch.setattr("jobs.worker.engine.LAST_WAIT_S", 0.1)
    jobs_worker.patience_s = 0.3
    return jobs_worker


stop = threading.Event()


@task(name="hosted.swallows")
async def swallows() -> None:
    while not stop.is_set():  # outlives each cancellation
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


@task(name="hosted.thread")
def thread() -> None:
    stop.wait(30)


@pytest.fixture
def stopped_at_last() -> Iterator[None]:
    stop.clear()
    yield
    stop.set()


@pytest.mark.parametrize("stubborn", [swallows, thread])
@pytest.mark.parametrize("fails", [True, False])
async def test_a_job_that_does_not_end_is_left_and_named(
    impatient: Workers, stopped_at_last: None, stubborn: Task[Any, Any], fails: bool
) -> None:
    async def test() -> None:
        async with impatient(tasks=[stubborn]) as worker:
            await stubborn.delay()
            await wait_until(lambda: worker.statistics().busy, "the job to run")
            assert not fails, "the test's own failure"

    with pytest.raises(AssertionError if fails else QuarqError) as caught:
        await test()
    stop.set()

    said = "".join(caught.value.__notes__) if fails else str(caught.value)
    assert re.match(
        rf"{stubborn.name}\[\w+\] has not ended after 0\.3 real seconds: it was cancelled, and goes on", said
    )


async def test_what_ends_a_little_later_is_named_all_the_same(jobs_worker: Workers) -> None:
    async def test() -> None:
        async with jobs_worker(tasks=[thread]) as worker:
            await thread.delay()
            await wait_until(lambda: worker.statistics().busy, "the job to run")
            asyncio.get_running_loop().call_later(0.2, stop.set)

    stop.clear()
    jobs_worker.patience_s = 0.1
    with pytest.raises(QuarqError, match=r"^hosted\.thread\[\w+\] has not ended after 0\.1 real seconds"):
        await test()


@pytest.mark.parametrize("hook", ["on_startup", "on_shutdown"])
async def test_a_hook_that_does_not_end_is_named(impatient: Workers, hook: str) -> None:
    async def waits(ctx: dict[str, Any]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        if hook == "on_startup":  # it outlives its cancellation
            await asyncio.sleep(0.4)

    with pytest.raises(QuarqError, match=rf"{hook} .*has not ended after 0\.3 real seconds"):
        async with impatient(tasks=[note], **{hook: waits}):
            assert hook == "on_shutdown"

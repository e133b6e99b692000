"""The worker of a test: what it takes, how it begins and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import CurrentJob, Middleware, OutgoingCall, Result, connect, group, task, worker_settings
from jobs.errors import NotConnected
from jobs.testing import Workers, eager

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

"""Tasks with steps. What they do is noted in `done`: each effect once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jobs import CurrentJob, chain, group, task

done: Counter[str] = Counter()


class Declined(Exception):
    """A class that `raises=` declares."""


class Unknown(Exception):
    """One that nothing declares."""


@dataclass
class Label:
    number: int


async def note(word: str) -> str:
    done[word] += 1
    return word


def note_in_thread(word: str) -> str:
    done[word] += 1
    return word


async def decline(word: str) -> None:
    done[word] += 1
    raise Declined(word)


async def fail_unknown() -> None:
    raise Unknown("no")


async def flaky(times: int) -> int:
    done["flaky"] += 1
    if done["flaky"] <= times:
        raise OSError("not yet")
    return done["flaky"]


async def hang() -> None:
    await asyncio.sleep(60)


async def print_label(number: int) -> Label:
    done["label"] += 1
    return Label(number)


@task(name="durable.child")
async def child(word: str) -> str:
    done[f"child {word}"] += 1
    return word


@task(name="durable.failing_child", raises=(Declined,))
async def failing_child(times: int) -> int:
    done["failing child"] += 1
    if done["failing child"] <= times:
        raise Declined("the child")
    return done["failing child"]


@task(name="durable.order", bind=True)
async def order(self: CurrentJob, number: int) -> str:
    payment = await self.step("charge", note, f"charge {number}")
    label = await self.run(child.s("label"))
    await self.sleep(timedelta(days=3))
    answer = await self.wait_for_event("approval", timeout=timedelta(days=7), default="nobody")
    return f"{payment}, {label}, {answer}"


@task(name="durable.plain_order", bind=True)
def plain_order(self: CurrentJob, number: int) -> str:
    payment = self.blocking.step("charge", note_in_thread, f"charge {number}")
    label = self.blocking.run(child.s("label"))
    self.blocking.sleep(timedelta(days=3))
    answer = self.blocking.wait_for_event("approval", timeout=timedelta(days=7), default="nobody")
    return f"{payment}, {label}, {answer}"


@task(name="durable.parallel", bind=True)
async def parallel(self: CurrentJob) -> list[Any]:
    return await asyncio.gather(
        self.step("a", note, "a"),
        self.step("b", note_in_thread, "b"),
        self.run(child.s("c")),
        self.run(child.s("d"), name="d"),
        self.sleep(5),
        *(self.step("each", note, f"each {n}", key=n) for n in range(3)),
    )


@task(name="durable.loop", bind=True)
async def loop(self: CurrentJob, words: list[str]) -> list[str]:
    return [await self.step("word", note, word) for word in words]


@task(name="durable.catches", bind=True, raises=(Declined,))
async def catches(self: CurrentJob) -> str:
    try:
        await self.step("charge", decline, "charge")
    except Declined as error:
        await self.sleep(60)
        return await self.step("refund", note, f"refund {error}")
    return "paid"


@task(name="durable.unknown", bind=True)
async def unknown(self: CurrentJob) -> str:
    try:
        await self.step("charge", fail_unknown)
    except Exception as error:
        return type(error).__name__
    return ""


@task(name="durable.retried", bind=True, max_retries=5, default_retry_delay=0, autoretry_for=(OSError,))
async def retried(self: CurrentJob, times: int) -> int:
    await self.step("first", note, "first")
    return await self.step("flaky", flaky, times)


@task(name="durable.tries", bind=True)
async def tries(self: CurrentJob, times: int, retries: int) -> int:
    return await self.step("flaky", flaky, times, retries=retries, retry_delay=0)


@task(name="durable.slow_step", bind=True)
async def slow_step(self: CurrentJob) -> None:
    await self.step("hang", hang, timeout=0.05)


@task(name="durable.rebuilt", bind=True)
async def rebuilt(self: CurrentJob) -> int:
    label = await self.step("label", print_label, 7)
    await self.sleep(1)
    assert type(label) is Label
    return label.number


@task(name="durable.keyed", bind=True)
async def keyed(self: CurrentJob) -> list[str]:
    async def key() -> str:
        return self.step_key

    return [await self.step("charge", key), await self.step("charge", key, key=7)]


@task(name="durable.waits", bind=True)
async def waits(self: CurrentJob, n: int) -> list[Any]:
    return [await self.wait_for_event("word") for _ in range(n)]


@task(name="durable.times_out", bind=True)
async def times_out(self: CurrentJob) -> Any:
    return await self.wait_for_event("word", timeout=60)


@task(name="durable.flows", bind=True)
async def flows(self: CurrentJob) -> list[Any]:
    words: Any = await self.run(group(child.s("x"), child.s("y")))
    return [*words, await self.run(chain(child.s("z"), child.s()))]


@task(name="durable.calls_failing", bind=True, raises=(Declined,), max_retries=5, default_retry_delay=0)
async def calls_failing(self: CurrentJob, times: int) -> int:
    try:
        return await self.run(failing_child.s(times))
    except Declined as error:
        self.retry(exc=error)


@task(name="durable.nested", bind=True)
async def nested(self: CurrentJob) -> None:
    async def outer() -> None:
        await self.step("inner", note, "inner")

    await self.step("outer", outer)


@task(name="durable.limited", bind=True, max_concurrency=1)
async def limited(self: CurrentJob, seconds: float) -> str:
    await self.step("first", note, "first")
    await self.sleep(seconds)
    return await self.step("last", note, "last")


async def idle() -> None:
    async with asyncio.timeout(60):
        await asyncio.Event().wait()


@task(name="durable.deadline", bind=True, time_limit=60)
async def deadline(self: CurrentJob, kind: str) -> Any:
    if kind == "scope":
        async with asyncio.timeout(3):
            await self.wait_for_event("x", timeout=60)
    elif kind == "wait_for":
        await asyncio.wait_for(self.sleep(60), 3)
    elif kind == "gather":
        async with asyncio.timeout(3):
            await asyncio.gather(self.sleep(60), self.sleep(60, name="other"))
    elif kind == "step":
        async with asyncio.timeout(3):
            await self.step("first", note, "first")
    elif kind == "over":
        async with asyncio.timeout(3):
            await asyncio.sleep(0)
    poll = asyncio.create_task(idle())
    await self.sleep(60)
    poll.cancel()
    return await self.run(child.s("late"))


@task(name="durable.calls_too_early", bind=True)
async def calls_too_early(self: CurrentJob, kind: str) -> Any:
    given: Any = note("x") if kind == "coroutine" else 3
    return await self.step("x", given)


@task(name="durable.calls_in_thread", bind=True)
def calls_in_thread(self: CurrentJob, kind: str) -> Any:
    given: Any = note("x") if kind == "coroutine" else 3
    return self.blocking.step("x", given)


ALL = [
    child, failing_child, order, plain_order, parallel, loop, catches, unknown, retried, tries, slow_step, rebuilt,
    keyed, waits, times_out, flows, calls_failing, nested, limited, deadline, calls_too_early,
    calls_in_thread,
]  # fmt: skip

"""r8, r11, r12: Redis dies, cannot be reached, or cannot write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from jobs.errors import QueueUnavailable
from tests.chaos import invariants, tasks
from tests.chaos.fleet import WorkerProcess
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.chaos.tcpproxy import Mode

LOAD = 40  # jobs a second


@scenario("r8", "Redis is killed and comes back")
async def redis_killed(stage: Stage) -> None:
    """It writes to its file before it answers: with everysec it may hold writes back while the disk is slow."""
    async with Redis.from_url(stage.server.url) as operator:
        await operator.config_set("appendfsync", "always")

    async def fault() -> None:
        stage.server.kill9()
        await asyncio.sleep(3)
        stage.server.start()

    await under_load(stage, fault, calls_may_fail=True)


def unreachable(mode: Mode) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        async def fault() -> None:
            await stage.proxy.set(mode)
            await asyncio.sleep(stage.size(30, 12))
            await stage.proxy.set("pass")

        await under_load(stage, fault)

    return play


for name, mode, title in (
    ("r11-refuse", "refuse", "connections are refused"),
    ("r11-rst", "rst", "connections are reset"),
    ("r11-blackhole", "blackhole", "connections fall silent"),
):
    scenario(name, title)(unreachable(mode))  # type: ignore[arg-type]


@scenario("r11-cut", "replies are lost in mid-word")
async def replies_cut(stage: Stage) -> None:
    """What was claimed or recorded, and nobody heard of it."""

    async def fault() -> None:
        for _ in range(stage.size(60, 15)):
            stage.proxy.cut_after(stage.rng.randrange(1, 2000))
            await asyncio.sleep(0.4)
        stage.proxy.cut_left = None

    await under_load(stage, fault, must_notice=False)


@scenario("r12-readonly", "Redis becomes a replica")
async def readonly(stage: Stage) -> None:
    async def fault() -> None:
        await stage.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        await asyncio.sleep(stage.size(30, 8))
        await stage.redis.execute_command("REPLICAOF", "NO", "ONE")

    await under_load(stage, fault, calls_may_fail=True, cause="READONLY")


@scenario("r12-oom", "Redis is out of memory")
async def out_of_memory(stage: Stage) -> None:
    async def fault() -> None:
        await stage.redis.config_set("maxmemory", "1mb")
        await asyncio.sleep(0.5)
        try:
            await tasks.work.delay("never", 0)
            refused = "accepted"
        except QueueUnavailable as error:
            refused = type(error).__name__
        stage.check("a call is refused with QueueUnavailable", refused, refused == "QueueUnavailable")
        await asyncio.sleep(stage.size(30, 8))
        await stage.redis.config_set("maxmemory", "0")

    await under_load(stage, fault, calls_may_fail=True, cause="its memory is full")


async def under_load(
    stage: Stage,
    fault: Callable[[], Awaitable[None]],
    *,
    calls_may_fail: bool = False,
    must_notice: bool = True,
    cause: str = "Redis is away",
) -> None:
    """Jobs before, while and after; the same processes go on, and none of the jobs runs twice."""
    workers = await stage.workers(2)
    sending = asyncio.create_task(keep_sending(stage))
    await asyncio.sleep(2)
    await stage.send_many({f"due meanwhile {n}": 0.1 for n in range(20)}, countdown=2)
    began = time.monotonic()
    noticing = asyncio.create_task(noticed(workers, cause))
    await fault()
    healed = time.monotonic()
    await stage.until(
        lambda: any(run.start > healed for runs in stage.oracle.read().runs.values() for run in runs),
        "a job to start after the fault",
        60,
    )
    resumed = min(run.start for runs in stage.oracle.runs.values() for run in runs if run.start > healed) - healed
    await asyncio.sleep(2)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await stage.until_all_acted(60)
    noticing.cancel()

    stage.check("the same processes go on", len(stage.fleet.living), all(worker.alive for worker in workers))
    stage.check("first job <= 5 s after the fault", f"{resumed:.1f} s", resumed <= 5)
    if must_notice:
        when = noticing.result() if noticing.done() and not noticing.cancelled() else None
        after = when - began if when else float("inf")
        stage.check(f"logged ({cause}) <= 10 s into it", f"{after:.1f} s", after <= 10)
    await invariants.hold(stage, operations=0 if calls_may_fail else 0.99)


async def keep_sending(stage: Stage) -> None:
    """A steady load; calls do not wait for each other, as those of a web server do not."""
    async with asyncio.TaskGroup() as calls:
        n = 0
        while True:
            n += 1
            calls.create_task(stage.send(f"job {n}", stage.rng.uniform(0.02, 0.6)))
            await asyncio.sleep(1 / LOAD)


async def noticed(workers: list[WorkerProcess], cause: str) -> float:
    while not all(cause in worker.log for worker in workers):  # noqa: ASYNC110 - a file of another process
        await asyncio.sleep(0.1)
    return time.monotonic()

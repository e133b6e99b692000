"""I1 to I9: what must hold after every scenario, whatever its fault was."""

from __future__ import annotations

import asyncio
import time

from jobs.client.job_info import attempts_of
from tests.chaos.stage import Stage

LEASE_S = 15
RECOVERY_S = 16.5


async def hold(
    stage: Stage,
    *,
    duplicates: int = 0,
    overlaps: int = 0,
    retries_used: bool = True,
    operations: float = 0.99,
    count_errors: bool = True,
) -> None:
    """Check all of them. *duplicates* and *overlaps*: how many the fault excuses. *count_errors*: do all workers?"""
    stage.oracle.read()
    await quiet(stage)
    await no_loss(stage)
    stage.check(f"I2 duplicates <= {duplicates}", stage.oracle.duplicates(), stage.oracle.duplicates() <= duplicates)
    overlapping = stage.oracle.overlapping()
    stage.check(f"I3 overlapping runs <= {overlaps}", overlapping, overlapping <= overlaps)
    recoveries(stage)
    if retries_used:
        await no_retry_used(stage)
    await nothing_left(stage)
    await errors_counted(stage, count_errors)
    if stage.sends:
        share = 1 - stage.refused / stage.sends
        stage.check(f"I8 calls accepted >= {operations:.0%}", f"{share:.1%}", share >= operations)


async def quiet(stage: Stage, timeout_s: float = 30) -> None:
    """Wait until nothing is queued or claimed; I7 reports it if that never comes."""
    deadline = time.monotonic() + timeout_s
    while await stage.redis.zcard("arq:queue") and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def no_loss(stage: Stage) -> None:
    """I1: an acknowledged job has had its effect, or has ended with a reason."""
    without = [key for key in stage.acked if not stage.oracle.effects(key)]
    states = [await stage.acked[key].state() for key in without]
    lost = sum(state not in ("FAILURE", "REVOKED") for state in states)
    stage.check("I1 lost 0", f"{lost} of {len(stage.acked)}", lost == 0)


def recoveries(stage: Stage) -> None:
    """I4: what died with a killed worker starts again in time."""
    taken = [
        seconds
        for worker in stage.fleet.killed
        if worker.killed_at is not None
        for seconds in stage.oracle.recoveries(worker.pid, worker.killed_at)
    ]
    if taken:
        stage.check(f"I4 start again <= {RECOVERY_S} s after a kill", f"{max(taken):.1f} s", max(taken) <= RECOVERY_S)


async def no_retry_used(stage: Stage) -> None:
    """I5: no fault of the surroundings counts as one of a job's retries, or fails it."""
    spent, failed = 0, 0
    async with stage.redis.pipeline(transaction=False) as pipe:
        for result in stage.acked.values():
            pipe.hmget(f"jobs:job:{result.id}", "retries", "state")
        for retries, state in await pipe.execute():
            spent += int(retries or 0) > 0
            failed += state == "FAILURE"
    stage.check("I5 retries used 0, failures 0", f"{spent}, {failed}", spent == failed == 0)


async def nothing_left(stage: Stage) -> None:
    """I7: no claim, no payload, no entry of a queue or of a worker outlives the jobs."""
    left = {"queued": await stage.redis.zcard("arq:queue")}
    for name, pattern in {"claims": "arq:in-progress:*", "payloads": "arq:job:*", "running": "jobs:leases:*"}.items():
        left[name] = sum([1 async for _ in stage.redis.scan_iter(pattern, count=1000)])
    found = ", ".join(f"{name} {n}" for name, n in left.items() if n)
    stage.check("I7 nothing left over", found or "nothing", not found)


async def errors_counted(stage: Stage, by_all: bool) -> None:
    """I9: an attempt that failed is counted with its error if that is recorded, and once."""
    recorded = counted = 0
    async for key in stage.redis.scan_iter("jobs:job:*", count=1000):
        log = await stage.redis.execute_command("HGET", key, "log", NEVER_DECODE=True)
        if await stage.redis.hget(key, "task") != "jobs.workflow":  # it fails with a member, which is counted
            recorded += sum(attempt.outcome in ("FAILURE", "RETRY") for attempt in attempts_of(log or b""))
    async for key in stage.redis.scan_iter("jobs:error:*", count=1000):
        counted += int(await stage.redis.hget(key, "count"))
    holds = counted == recorded if by_all else counted <= recorded
    stage.check("I9 failed attempts counted", f"{counted} of {recorded}", holds)

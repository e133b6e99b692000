"""Calls of tasks with limits by key and of unique tasks, and what the ledger says of them afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jobs import Result, limits
from jobs.store.keys import Keys
from tests.chaos import flow_tasks
from tests.chaos.flow_tasks import DEBOUNCE_S, MAX_WAIT_S, OF_A_TENANT, OF_ALL, STARTS, WINDOW_S
from tests.chaos.stage import Stage

OF_FLOW = (Keys.HOLDERS, Keys.BLOCKED, Keys.PLACES, Keys.WAITING, Keys.UNIQUE, Keys.SCHEDULE, Keys.SCHEDULES_DUE)
EVERY_S, PATIENCE_S = 0.1, 3


@dataclass(frozen=True)
class Call:
    """One that has returned. Its result is that of its own job, or of the one that there was."""

    task: Any
    key: str
    user: int
    before: float
    after: float
    result: Result


def by_job(calls: Iterable[Call]) -> dict[str, Call]:
    """For each job the call whose arguments it has: of a debounced task the last one."""
    found: dict[str, Call] = {}
    for call in calls:
        if call.task is flow_tasks.debounced or not call.result.existing:
            found[call.result.id] = call
    return found


async def check(stage: Stage, calls: list[Call]) -> None:
    jobs = by_job(calls)
    strange = [call.key for call in calls if call.result.id not in jobs]
    stage.check("a call that became another's job: that is known", len(strange), not strange)
    of = {task: per_user(jobs.values(), task) for task in flow_tasks.FLOW}
    await limits_kept(stage, of[flow_tasks.tenant])
    beside = max(stage.oracle.most_beside([job.key for job in one]) for one in of[flow_tasks.once].values())
    stage.check("of one key one job at a time", beside, beside == 1)
    late = [call for call in calls if call.task is flow_tasks.latest and first_start(stage, jobs, call) < call.before]
    stage.check("until its start: no call became what had begun", len(late), not late)
    close = [two for one in of[flow_tasks.throttled].values() for two in pairwise(one) if is_close(*two)]
    stage.check("of one window one job", len(close), not close)
    first = {call.result.id: call for call in reversed(calls)}
    last = [call for call in jobs.values() if call.task is flow_tasks.debounced]
    early = [call for call in last if first_start(stage, jobs, call) < earliest(first[call.result.id], call)]
    stage.check(f"debounced: {DEBOUNCE_S} s after the last call", len(early), not early)


def per_user(jobs: Iterable[Call], task: Any) -> dict[int, list[Call]]:
    found = defaultdict[int, list[Call]](list)
    for job in jobs:
        if job.task is task:
            found[job.user].append(job)
    return found


def first_start(stage: Stage, jobs: dict[str, Call], call: Call) -> float:
    return min(run.start for run in stage.oracle.runs[jobs[call.result.id].key])


def earliest(first: Call, last: Call) -> float:
    """When a debounced job may start."""
    return min(first.before + MAX_WAIT_S, last.before + DEBOUNCE_S)


def is_close(one: Call, other: Call) -> bool:
    """Were two jobs stored within one window for certain?"""
    return other.after - one.before < WINDOW_S


async def limits_kept(stage: Stage, of_tenant: dict[int, list[Call]]) -> None:
    """At the effect what runs at a time, and by Redis's clock what starts in a second."""
    beside = max(stage.oracle.most_beside([job.key for job in one]) for one in of_tenant.values())
    stage.check(f"of one tenant at most {OF_A_TENANT} at a time", beside, beside <= OF_A_TENANT)
    every_one = [job.key for one in of_tenant.values() for job in one]
    beside = stage.oracle.most_beside(every_one)
    stage.check(f"of all at most {OF_ALL} at a time", beside, beside <= OF_ALL)
    most = 0
    for one in of_tenant.values():
        started = [(await job.result.info()).started for job in one]
        starts = sorted(moment.timestamp() for moment in started if moment)
        most = max(most, *(sum(at <= other < at + 1 for other in starts) for at in starts))
    stage.check(f"of one tenant at most {STARTS} starts a second", most, most <= STARTS)


async def watch_room(longest: list[int]) -> None:
    """For how many looks in a row a tenant had room for a job, as all together had, and one of its jobs waited."""
    row = Counter[str]()
    while True:
        listed = await limits.list(flow_tasks.tenant)
        has_room = any(not one.key and one.running < OF_ALL for one in listed)
        for one in listed:
            unused = one.key and has_room and one.waiting and one.running < OF_A_TENANT
            row[one.key] = row[one.key] + 1 if unused else 0
        longest[0] = max(longest[0], *row.values())
        await asyncio.sleep(EVERY_S)


def moments(stage: Stage, name: str, period_s: int, since: float, until: float) -> tuple[int, int]:
    """How many moments of a schedule there were, and how many of them have acted once."""
    first, last = int(since // period_s + 1), int(until // period_s)
    due = [f"sched:{name}:{n * period_s * 1000}" for n in range(first, last + 1)]
    return len(due), sum(stage.oracle.effects(key) > 0 for key in due)


async def nothing_of_flow_left(stage: Stage) -> None:
    """What is called then finds all free; windows end by themselves."""
    left = {}
    for pattern in OF_FLOW:
        async for key in stage.redis.scan_iter(f"{pattern}*", count=1000):
            if await stage.redis.ttl(key) < 0:
                left[key] = await stage.redis.type(key)
    stage.check("no place, holder or key is left", left or "none", not left)

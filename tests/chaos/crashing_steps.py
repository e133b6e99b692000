"""A worker that dies at a named point of a job with steps: see crashing.py, whose fuse this uses."""

from __future__ import annotations

import os
import time
from typing import Any

from jobs import CurrentJob, task
from jobs.contrib.durable.log import RedisLog
from jobs.store.call import Call
from jobs.worker.execution.claimed_job import SUSPENDED, HeldJob, Outcome
from jobs.worker.recorder import Recorder
from tests.chaos import ledger, tasks
from tests.chaos.crashing import reach

NAP_S = 0.1
STEPS = (
    "before read",
    "after read",
    "step acted",
    "before step",
    "after step",
    "thread acted",
    "before child",
    "after child",
    "before sleep",
    "after sleep",
    "before suspension",
    "after suspension",
    "before the end",
    "after the end",
)
APPROVALS = (
    "before read",
    "after read",
    "before event",
    "after event",
    "before suspension",
    "after suspension",
    "before the end",
    "after the end",
)


class CrashingLog:
    """The methods that are put around those of RedisLog."""

    _read, _record, _call = RedisLog.read, RedisLog.record, RedisLog.call

    async def read(self: Any) -> Any:
        reach("before read")
        found = await CrashingLog._read(self)
        reach("after read")
        return found

    async def record(self: Any, field: str, entry: bytes) -> None:
        kind = field.partition(":")[0]
        reach(f"before {kind}")
        await CrashingLog._record(self, field, entry)
        reach(f"after {kind}")

    async def call(self: Any, field: str, entry: bytes, call: Call) -> None:
        reach("before child")
        await CrashingLog._call(self, field, entry, call)
        reach("after child")


class CrashingRecorder:
    """The methods that are put around those of Recorder."""

    _put, _settle = Recorder.put, Recorder._settle

    def put(self: Any, held: HeldJob, outcome: Outcome) -> None:
        if held.call.task in OURS and (outcome.ends or outcome.state == SUSPENDED):
            reach("before suspension" if outcome.state == SUSPENDED else "before the end")
        CrashingRecorder._put(self, held, outcome)

    def settle(self: Any, held: HeldJob, answer: int) -> None:
        assert held.outcome is not None
        if held.call.task in OURS and (held.outcome.ends or held.outcome.state == SUSPENDED):
            reach("after suspension" if held.outcome.state == SUSPENDED else "after the end")
        CrashingRecorder._settle(self, held, answer)


async def act(key: str, attempt: int) -> str:
    ledger.started(key, attempt)
    ledger.ended(key, attempt)
    reach("step acted")
    return key


def act_in_thread(key: str, attempt: int) -> str:
    ledger.started(key, attempt)
    time.sleep(NAP_S)
    ledger.ended(key, attempt)
    reach("thread acted")
    return key


@task(name="chaos.steps", bind=True)
async def steps(self: CurrentJob, key: str) -> list[Any]:
    attempt = self.request.attempts
    first = await self.step("charge", act, f"{key} charge", attempt)
    second = await self.step("pack", act_in_thread, f"{key} pack", attempt)
    third: Any = await self.run(tasks.work.s(f"{key} child", NAP_S))
    await self.sleep(NAP_S)
    return [first, second, third, await self.step("send", act, f"{key} send", attempt)]


@task(name="chaos.approval", bind=True)
async def approval(self: CurrentJob, key: str) -> Any:
    attempt = self.request.attempts
    await self.step("ask", act, f"{key} ask", attempt)
    answer = await self.wait_for_event("approval", timeout=30)
    await self.step("send", act, f"{key} send", attempt)
    return answer


OURS = frozenset({steps.name, approval.name})

if "REDIS_URL" in os.environ:
    RedisLog.read = CrashingLog.read  # type: ignore[method-assign]
    RedisLog.record = CrashingLog.record  # type: ignore[method-assign]
    RedisLog.call = CrashingLog.call  # type: ignore[method-assign]
    Recorder.put = CrashingRecorder.put  # type: ignore[method-assign]
    Recorder._settle = CrashingRecorder.settle  # type: ignore[method-assign]

WorkerSettings = tasks.settings([*tasks.TASKS, steps, approval], max_jobs=10, job_completion_wait=tasks.WAIT_S)

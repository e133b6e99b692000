"""A worker that dies at a named point of a workflow: the points are put around our code here, and are not in it.

The fuse is a file beside the ledger that names one point, one fault and the server's process. Whoever reaches the point
first burns it (renames it, so that only one can) and suffers the fault.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs import group, task
from jobs.client.submit import WORKFLOW
from jobs.worker.execution.claimed_job import HeldJob, Outcome
from jobs.worker.orchestrator import Orchestration
from jobs.worker.recorder import Recorder
from tests.chaos import ledger, tasks

FAULTS = ("SIGKILL", "SIGTERM", "SIGSTOP", "Redis")
POINTS = (
    "before begin",
    "after begin",
    "before send 1",
    "after send 1",
    "heard 1",
    "before send 2",
    "after send 2",
    "member acted",
    "member recorded",
    "body begun",
    "body acted",
    "before the end",
    "after the end",
)


def fuse_of(folder: Path) -> Path:
    return folder / "fuse"


def reach(point: str) -> None:
    """Suffer the fault, if it is to happen here."""
    fuse = fuse_of(Path(os.environ["CHAOS_LEDGER"]).parent)
    try:
        plan = json.loads(fuse.read_text())
        if plan["point"] != point:
            return
        fuse.rename(fuse.with_name("burnt"))
    except FileNotFoundError:
        return
    ledger.note("fault", plan["how"])
    if plan["how"] == "Redis":
        os.kill(plan["redis"], signal.SIGKILL)
    else:
        os.kill(os.getpid(), signal.Signals[plan["how"]])


class CrashingOrchestration:
    """The methods that are put around those of Orchestration."""

    _begin, _send, _hear = Orchestration._begin, Orchestration._send, Orchestration._hear

    async def begin(self: Any) -> Any:
        reach("before begin")
        node = await CrashingOrchestration._begin(self)
        reach("after begin")
        self.reached = Counter[str]()
        return node

    async def send(self: Any, asked: Sequence[Any]) -> None:
        self.reached["send"] += 1
        number = self.reached["send"]
        reach(f"before send {number}")
        await CrashingOrchestration._send(self, asked)
        reach(f"after send {number}")

    def hear(self: Any, ended: Mapping[str, bytes | None], run: str) -> None:
        self.reached["heard"] += 1
        reach(f"heard {self.reached['heard']}")
        CrashingOrchestration._hear(self, ended, run)


class CrashingRecorder:
    """The methods that are put around those of Recorder."""

    _put, _settle = Recorder.put, Recorder._settle

    def put(self: Any, held: HeldJob, outcome: Outcome) -> None:
        if outcome.ends:
            reach("before the end" if held.call.task == WORKFLOW else "member acted")
        CrashingRecorder._put(self, held, outcome)

    def settle(self: Any, held: HeldJob, answer: int) -> None:
        assert held.outcome is not None
        if held.outcome.ends:
            reach("after the end" if held.call.task == WORKFLOW else "member recorded")
        CrashingRecorder._settle(self, held, answer)


@task(name="chaos.body", bind=True)
async def body(self: Any, results: list[str], key: str) -> int:
    """Ends a chord: it acts once."""
    ledger.started(key, self.request.attempts)
    reach("body begun")
    ledger.ended(key, self.request.attempts)
    reach("body acted")
    return len(results)


@task(name="chaos.told", bind=True)
async def told(self: Any, request: Any, error: Exception, traceback: str, key: str) -> None:
    """Hears of a chord that failed, once."""
    await body.run(self, ([], key), {})


@task(name="chaos.parent", bind=True)
async def parent(self: Any, key: str, children: int, seconds: float) -> int:
    """Calls a group, and waits for it inside."""
    ledger.started(key, self.request.attempts)
    members = group(tasks.work.si(f"{key}.{n}", seconds) for n in range(children))
    results = await (await members.delay()).get()
    ledger.ended(key, self.request.attempts)
    return len(results)


if "REDIS_URL" in os.environ:
    Orchestration._begin = CrashingOrchestration.begin  # type: ignore[method-assign]
    Orchestration._send = CrashingOrchestration.send  # type: ignore[method-assign]
    Orchestration._hear = CrashingOrchestration.hear  # type: ignore[method-assign]
    Recorder.put = CrashingRecorder.put  # type: ignore[method-assign]
    Recorder._settle = CrashingRecorder.settle  # type: ignore[method-assign]

WorkerSettings = tasks.settings([*tasks.TASKS, body, told, parent], queues=["default", "later"], max_jobs=10)

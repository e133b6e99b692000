"""What a call and a job take, counted: functions of Python that run, and commands that Redis runs.

Counts do not depend on how busy the machine is: what nobody switched on has to cost none.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import redirect_stderr
from types import FrameType, ModuleType, TracebackType

from tests.bench.rig import Rig
from tests.bench.subjects import OURS, TRACED, Subject
from tests.bench.table import Figures, Target, at_most

SUBJECTS = (OURS, TRACED)
CALL, JOB, REDIS = "Python functions for a call", "Python functions for a no-op job", "Redis commands for a no-op job"
CALLS, JOBS = 200, 2_000

TARGETS = (
    Target(CALL, "<= 100", at_most(OURS, 100)),
    Target(JOB, "<= 115", at_most(OURS, 115)),
    Target(REDIS, "<= 9", at_most(OURS, 9)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    rig.tally.open_gate()
    return rig.call(subject, "counts")


class Counted:
    """How many functions of Python begin in this thread, until the block ends."""

    def __enter__(self) -> Counted:
        self.n = 0
        sys.setprofile(self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        self.n += event == "call"


async def counted(subject: ModuleType) -> Figures:
    """Calls by this process, then a worker in it that runs them all, and writes two lines for each as under `arq`."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        return await _counted(subject)


async def _counted(subject: ModuleType) -> Figures:
    from arq.worker import create_worker
    from redis.asyncio import Redis

    from jobs.worker.log_setup import log_config

    log_config(verbose=False)
    await subject.enqueue()
    with Counted() as for_calls:
        for _ in range(CALLS):
            await subject.enqueue()
    await subject.enqueue_many(JOBS)
    worker = create_worker(subject.WorkerSettings, burst=True, handle_signals=False)
    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        await redis.config_resetstat()
        with Counted() as for_jobs:
            await asyncio.create_task(worker.main())
        commands = sum(row["calls"] for row in (await redis.info("commandstats")).values())
    n = JOBS + CALLS + 1
    return {CALL: for_calls.n / CALLS, JOB: for_jobs.n / n, REDIS: commands / n}

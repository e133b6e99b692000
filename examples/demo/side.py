"""One library: its workers, and the counts of its jobs in Redis."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from examples.demo.work import DONE, STARTED

WORKERS = 3


class Counted(NamedTuple):
    done: int
    twice: int  # done more than once
    cut_off: int  # started and not done: the worker was killed
    unfinished: int  # still in the queue


@dataclass
class Side:
    """Three workers of one library, with their own database."""

    module: str
    redis_url: str
    log: Path
    killed: int = 0
    workers: list[Process] = field(default_factory=list)

    async def start(self) -> None:
        for _ in range(WORKERS):
            await self._start_worker()

    async def kill_one(self) -> None:
        """Kill the oldest worker with SIGKILL, and start a new one at once."""
        await self._kill(self.workers.pop(0))
        self.killed += 1
        await self._start_worker()

    async def stop(self) -> None:
        for worker in self.workers:
            await self._kill(worker)

    async def count(self) -> Counted:
        async with Redis.from_url(self.redis_url) as redis:
            starts = [int(times) for times in await redis.hvals(STARTED)]
            ends = [int(times) for times in await redis.hvals(DONE)]
            unfinished = int(await redis.zcard("arq:queue"))
        return Counted(len(ends), sum(times > 1 for times in ends), sum(starts) - sum(ends), unfinished)

    async def _start_worker(self) -> None:
        with self.log.open("ab") as log:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "arq", f"{self.module}.WorkerSettings"),
                env=os.environ | {"REDIS_URL": self.redis_url},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only the demo, which then kills its workers
            )
        self.workers.append(worker)

    async def _kill(self, worker: Process) -> None:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()

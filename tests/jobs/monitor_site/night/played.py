"""Plays a night on real workers, most of it in the past by the test clock, and says what is true in the end."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jobs import JobsRedis, Result, chain, connect, group, monitor, signature
from jobs.monitor_site.application import Monitor
from jobs.store.keys import Keys
from tests.jobs.monitor_site.api_client import Program
from tests.jobs.monitor_site.night.chosen import HELD, Chosen
from tests.jobs.worker.conftest import WorkerProcess
from tests.waiting import wait_until

SETTINGS = "tests.jobs.monitor_site.night.night_worker.WorkerSettings"
RERUN_SINCE = 80
"""Minutes ago: between the early and the late failures of what is run again."""
SLOTS = 2


@dataclass
class Night:
    """What is true at its end, for whoever asks."""

    chosen: Chosen
    redis_url: str
    connection: JobsRedis
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of jobs that do not run, by id: why, and the queue or task that it is about, or the moment."""
    early: dict[str, list[str]] = field(default_factory=dict)
    late: dict[str, list[str]] = field(default_factory=dict)
    """Failed jobs to be run again, by way: those before the moment that is asked for, and those since."""
    stuck: tuple[str, str, str] = ("", "", "")  # The worker, the job and its task.
    workflow: str = ""
    edited: dict[str, str] = field(default_factory=dict)  # By way, the job with a wrong note.
    now: datetime = datetime.min

    def since(self, zone: ZoneInfo | None = None) -> str:
        """The time of day that reruns are asked since; None: by the clock of this machine."""
        return f"{(self.now - timedelta(minutes=RERUN_SINCE)).astimezone(zone):%H:%M}"

    async def runs_of(self, ids: list[str]) -> list[str]:
        """Which of these jobs have run again, each as often as it has."""
        found = []
        for job_id in ids:
            for n in range(2, 5):
                if await Result(f"{job_id}~{n}", self.connection).state() == "SUCCESS":
                    found.append(job_id)
        return found


@asynccontextmanager
async def played(chosen: Chosen, redis_url: str, app: Monitor, folder: Path) -> AsyncIterator[Night]:
    """The night at its end; its workers go on until the block ends."""
    async with connect(redis_url) as connection:
        stage = Stage(Night(chosen, redis_url, connection), folder)
        with stage.ended():
            await stage.before_the_deploy()
            await stage.after_the_deploy()
            await stage.at_the_end(Program(app, chosen.colleague))
            yield stage.night


class Stage:
    def __init__(self, night: Night, folder: Path) -> None:
        self.night, self.chosen, self.connection, self.folder = night, night.chosen, night.connection, folder
        self.workers: list[WorkerProcess] = []
        self.order, self.gone = 1_000, 0

    @contextmanager
    def ended(self) -> Any:
        try:
            yield
        finally:
            for worker in self.workers:
                worker.process.kill()
                worker.process.wait()

    async def clock(self, minutes_ago: float) -> None:
        """What happens from now on happened then."""
        await self.connection.set(Keys.CLOCK, round(-minutes_ago * 60_000))

    async def start(self, version: str, queues: list[str], slots: int = 100, times: int = 1) -> WorkerProcess:
        """*times* workers, at the same time; the last of them."""
        environ = {
            "NIGHT": json.dumps(self.chosen.as_json()), "NIGHT_CALM": str(self.folder / "calm"),
            "NIGHT_VERSION": version, "NIGHT_QUEUES": ",".join(queues), "NIGHT_SLOTS": str(slots),
        }  # fmt: skip
        for _ in range(times):
            log = self.folder / f"worker-{len(self.workers)}.log"
            worker = WorkerProcess(self.night.redis_url, log, settings=SETTINGS, **environ)
            self.workers.append(worker)
        await wait_until(
            lambda: self.reports(len(self.workers), 0), f"worker {len(self.workers)} to report", timeout_s=30
        )
        return worker

    async def reports(self, workers: int, busy: int) -> bool:
        """Have so many workers said that they are there, and how many of their slots are busy?"""
        said = await monitor.workers(self.connection)
        return len(said) >= workers - self.gone and sum(worker.busy for worker in said) >= busy

    async def call(self, task: str, times: int = 1, **options: Any) -> list[Result[Any]]:
        """Call it for orders that nobody has had yet."""
        self.order += times
        return [await signature(task, (self.order - n,)).apply_async(**options) for n in range(times)]

    async def to_their_ends(self, results: list[Result[Any]]) -> list[str]:
        for result in results:
            await result.get(propagate=False, timeout=30)
        return [result.id for result in results]

    async def before_the_deploy(self) -> None:
        """What failed long ago, and a usual half hour of the old version."""
        chosen, night = self.chosen, self.night
        await self.clock(RERUN_SINCE + 10)
        worker = await self.start(chosen.versions[0], ["default"])
        for way, rerun in chosen.reruns.items():
            night.early[way] = await self.to_their_ends(await self.call(rerun.failing.task, rerun.early))
        await self.clock(RERUN_SINCE - 10)
        for way, rerun in chosen.reruns.items():
            night.late[way] = await self.to_their_ends(await self.call(rerun.failing.task, rerun.late))
        await self.clock(50)
        await self.to_their_ends(await self.usual())
        worker.process.terminate()
        await worker.wait_until_ended()
        self.gone += 1

    async def usual(self) -> list[Result[Any]]:
        chosen = self.chosen
        found = [one for task in [*chosen.quick, chosen.worse] for one in await self.call(task, 6)]
        return [*found, *await self.call(chosen.busiest, 16)]

    async def after_the_deploy(self) -> None:
        """The same of the new version, which does one thing worse; and what fails in the last hour."""
        chosen, night = self.chosen, self.night
        await self.clock(30)
        await self.start(chosen.versions[1], ["default", chosen.paused])
        await self.clock(20)
        started = [*await self.usual(), *await self.call(chosen.slowest)]
        workflow = await chain(
            signature(chosen.steps[0], (1,), immutable=True),
            group(signature(chosen.steps[1], (n,), immutable=True) for n in range(chosen.members)),
            signature(chosen.steps[2], (2,), immutable=True),
        ).apply_async()
        night.workflow = workflow.id
        started += [one for failing in chosen.failing for one in await self.call(failing.task, failing.times)]
        customers = [
            await signature(chosen.customers, (order, chosen.customer)).apply_async()
            if n % 2
            else await signature(chosen.customers, (order,), {"customer_id": chosen.customer}).apply_async()
            for n, order in enumerate(chosen.orders)
        ]
        others = [(chosen.customer, 1), (2, chosen.customer * 10), (3, chosen.customer + 1)]
        started += [await signature(chosen.customers, args).apply_async() for args in others]
        wrong = {way: await signature(chosen.edited, (7,), {"note": "teh"}).apply_async() for way in chosen.reruns}
        night.edited = {way: job.id for way, job in wrong.items()}
        await self.to_their_ends([*started, *customers, *wrong.values(), workflow])

    async def at_the_end(self, colleague: Program) -> None:
        """What is so now: backlogs, a stuck worker, a paused queue, jobs that do not run. From a minute's second on."""
        await self.clock((time.time() % 60 - 2) / 60)
        self.night.now = datetime.now().astimezone()
        await self.hold_the_slots()
        await self.stop_jobs(colleague)
        await self.backlogs()
        (self.folder / "calm").touch()

    async def hold_the_slots(self) -> None:
        chosen = self.chosen
        await self.start(chosen.versions[1], [chosen.growing, chosen.draining], SLOTS, times=2)
        [stuck] = await self.held(chosen.quick[0], 1)
        await self.held(chosen.held, 2 * SLOTS - 1)
        await wait_until(lambda: self.reports(0, 2 * SLOTS), "the workers to report what they run")
        key = Keys.RECORD + stuck.id
        received, worker = await self.connection.hmget(key, ["received", "worker"])  # type: ignore[misc]
        await self.connection.hset(key, "received", int(received) - 25 * 60_000)  # type: ignore[misc]
        self.night.stuck = (worker.decode(), stuck.id, chosen.quick[0])

    async def held(self, task: str, times: int) -> list[Result[Any]]:
        """Jobs that run, and do not end."""
        calls = [signature(task, (HELD + n,)).apply_async(queue=self.chosen.growing) for n in range(times)]
        started = [await call for call in calls]
        for result in started:

            async def runs(result: Result[Any] = result) -> bool:
                return await result.state() == "STARTED"

            await wait_until(runs, f"{task} to run", timeout_s=20)
        return started

    async def stop_jobs(self, colleague: Program) -> None:
        chosen, reasons = self.chosen, self.night.reasons
        await self.to_their_ends(await self.call(chosen.limited))
        due = datetime.now().astimezone().replace(microsecond=0) + timedelta(hours=chosen.due_hours)
        calls: list[tuple[tuple[str, str], Coroutine[Any, Any, list[Result[Any]]]]] = [
            (("rate-limit", chosen.limited), self.call(chosen.limited)),
            (("paused", chosen.paused), self.call(chosen.quick[1], queue=chosen.paused)),
            (("no-worker", chosen.unserved), self.call(chosen.quick[2], queue=chosen.unserved)),
            (("unknown-task", "default"), self.call(chosen.unknown)),
            (("due", due.astimezone(UTC).isoformat()), self.call(chosen.quick[0], eta=due)),
            (("busy", ""), self.call(chosen.held, queue=chosen.draining)),
        ]
        await colleague.post(f"/queues/{chosen.paused}/pause")
        assert colleague.status == 200
        for reason, call in calls:
            [job] = await call
            reasons[job.id] = reason

    async def backlogs(self) -> None:
        """One grows by some jobs each minute, the other shrinks by as many: as workers noted at the last minutes."""
        chosen, minute = self.chosen, round(time.time() // 60)
        by = chosen.step_jobs
        for queue, change in ((chosen.growing, by), (chosen.draining, -by)):
            n = 3 * by if change > 0 else 2 * by
            there = await self.connection.zcard(Keys.QUEUE + f":{queue}")
            await self.call(chosen.held, n - there + (2 * SLOTS if change > 0 else 0), queue=queue)
            for ago in range(4):
                noted = n - change * ago
                await self.connection.hset(f"{Keys.STATS}{minute - ago}", f"|due|{queue}", noted)  # type: ignore[misc]

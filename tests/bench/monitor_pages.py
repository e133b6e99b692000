"""The monitor's pages over a million jobs, and what 50 open live pages cost the workers, Redis and the web process.

One worker works off a queue that never ends. Time is cut into short turns, without viewers, with, with, without,
again and again: what a busy neighbour takes for longer than a few turns, it takes from both. Each four give one
comparison, and the figure is the median of all. How far two turns differ that should be alike is a row of its own: a
loss that is smaller was not measured. CPU for each 1,000 jobs is counted besides, of which no neighbour takes much.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from dataclasses import dataclass

import httpx

from jobs import connect
from tests.bench.monitor import fill
from tests.bench.rig import Rig, cpu_seconds
from tests.bench.subjects import OURS, SITE, Subject
from tests.bench.table import Figures, Target, at_most
from tests.bench.viewers import Viewers, viewers
from tests.site import Site, site

SUBJECTS = (SITE,)
VIEWERS, FOURS, ASKED, ALONE_S = 50, 5, 10, 5
TURN_S = 6
"""Some looks of the web process, which rests the longer the dearer they are."""
WARM = 110_000
"""Jobs before the first turn: from then on, the history is full, and each job costs the same."""
AHEAD = 100_000
"""Jobs in the queue at the beginning of a turn, more than it takes."""
PAGES = ("/monitor/", "/monitor/jobs", "/monitor/jobs?q=state:failed", "/monitor/jobs?q=state:scheduled",
         "/monitor/jobs?q=task:bench.1*+customer_id:4711", "/monitor/jobs?q=nowhere",
         "/monitor/jobs?q=state:failed+sort:took", "/monitor/tasks", "/monitor/queues",
         "/monitor/workflow?id=large")  # fmt: skip
SLOWEST = "page {}, slowest of 10, ms"
LOST = "throughput lost to 50 live pages, %"
NOISE = "as above, between turns that are alike, %"
PER_JOBS = "{} CPU for 1,000 jobs {} 50 live pages, ms"
REDIS = "Redis, for 50 live pages alone, % of a core"
CPU = "web process with 50 live pages, % of a core"
READING = "50 browsers that read them, % of a core"

TARGETS = (
    *(Target(SLOWEST.format(page), "<= 100 ms", at_most(SITE, 100)) for page in PAGES[:7]),
    Target(LOST, "< 3 %", at_most(SITE, 3)),
    Target(REDIS, "< 3 %", at_most(SITE, 3)),
    Target(CPU, "< 10 %", at_most(SITE, 10)),
)


@dataclass(frozen=True)
class Turn:
    """What was done and spent in it; CPU in seconds."""

    seconds: float
    jobs: int
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        return self.jobs / self.seconds


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figures:
    async with site(rig.url) as here:
        with here.process("app.serve") as web:
            async with here.browser(here.settings.owner_email) as browser:
                figures = await asyncio.to_thread(_live, rig, here, web, browser)
                rig.fresh()
                async with connect(rig.url) as redis:
                    await fill(redis)
                return figures | {SLOWEST.format(page): await _slowest(browser, page) for page in PAGES}


def _live(rig: Rig, here: Site, web: subprocess.Popen[bytes], browser: httpx.AsyncClient) -> Figures:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    with viewers(here.settings.port, cookie) as crowd:
        with rig.workers(OURS, BENCH_KEEP_RESULT="30") as [worker]:
            processes = {"worker": worker.pid, "Redis": rig.server.pid, "web": web.pid, "viewers": crowd.pid}
            rig.call(OURS, "fill", WARM)
            rig.wait_ran(WARM)
            for _ in range(FOURS):
                for watched in (False, True, True, False):
                    turns[watched].append(_turn(rig, crowd, watched, processes))
        crowd.watch(VIEWERS)
        alone = _redis_load(rig)
    return {REDIS: alone, **_compared(turns[False], turns[True])}


def _turn(rig: Rig, crowd: Viewers, watched: bool, processes: dict[str, int]) -> Turn:
    while (waiting := rig.in_queue()) < AHEAD:
        rig.call(OURS, "fill", AHEAD - waiting + 20_000)
    crowd.watch(VIEWERS if watched else 0)
    began, first = time.monotonic(), rig.tally.total()
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    time.sleep(TURN_S)
    spent = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items()}
    return Turn(time.monotonic() - began, rig.tally.total() - first, spent)


def _compared(without: list[Turn], watched: list[Turn]) -> Figures:
    pairs = range(0, len(without), 2)
    lost = [1 - _rate(watched[n : n + 2]) / _rate(without[n : n + 2]) for n in pairs]
    noise = [abs(1 - some[n].rate / some[n + 1].rate) for some in (without, watched) for n in pairs]
    seconds = sum(turn.seconds for turn in watched)
    figures = {LOST: max(0.0, statistics.median(lost)) * 100, NOISE: statistics.median(noise) * 100}
    for name in ("worker", "Redis"):
        for how, turns in (("without", without), ("with", watched)):
            spent, jobs = sum(turn.cpu[name] for turn in turns), sum(turn.jobs for turn in turns)
            figures[PER_JOBS.format(name, how)] = spent / jobs * 1_000_000
    figures[CPU] = sum(turn.cpu["web"] for turn in watched) / seconds * 100
    figures[READING] = sum(turn.cpu["viewers"] for turn in watched) / seconds * 100
    return figures


def _rate(turns: list[Turn]) -> float:
    return sum(turn.jobs for turn in turns) / sum(turn.seconds for turn in turns)


def _redis_load(rig: Rig) -> float:
    """What Redis spends while no worker runs: unlike throughput, no busy neighbour changes it."""
    began, before = time.monotonic(), cpu_seconds(rig.server.pid)
    time.sleep(ALONE_S)
    return (cpu_seconds(rig.server.pid) - before) / (time.monotonic() - began) * 100


async def _slowest(browser: httpx.AsyncClient, page: str) -> float:
    """In ms, as the browser sees it."""
    slowest = 0.0
    for _ in range(ASKED):
        began = time.perf_counter()
        response = await browser.get(page)
        slowest = max(slowest, time.perf_counter() - began)
        assert response.status_code == 200, page
    return slowest * 1000

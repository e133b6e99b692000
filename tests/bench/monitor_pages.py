"""The monitor's pages over a million jobs, and what 50 open live pages cost the workers and the web process."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from jobs import connect
from tests.bench.monitor import fill
from tests.bench.rig import Rig, cpu_seconds
from tests.bench.subjects import OURS, SITE, Subject
from tests.bench.table import Figures, Target, at_most
from tests.site import Site, site

SUBJECTS = (SITE,)
PEERS = False
VIEWERS, TURNS, ASKED, ALONE_S = 50, 4, 10, 5
WATCHED = ("/monitor/", "/monitor/jobs", "/monitor/queues", "/monitor/workers")
PAGES = ("/monitor/", "/monitor/jobs", "/monitor/jobs?state=FAILURE", "/monitor/scheduled", "/monitor/tasks",
         "/monitor/queues", "/monitor/workflow?id=large")  # fmt: skip
SLOWEST = "page {}, slowest of 10, ms"
LOST = "throughput lost to 50 live pages, %"
REDIS = "Redis, for 50 live pages alone, % of a core"
CPU = "web process with 50 live pages, % of a core"

TARGETS = (
    *(Target(SLOWEST.format(page), "<= 100 ms", at_most(SITE, 100)) for page in PAGES[:3]),
    Target(LOST, "< 3 %", at_most(SITE, 3)),
    Target(REDIS, "< 3 %", at_most(SITE, 3)),
    Target(CPU, "< 10 %", at_most(SITE, 10)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figures:
    async with site(rig.url) as here:
        with here.process("app.serve") as web:
            async with here.browser(here.settings.owner_email) as browser:
                figures = await _live(rig, here, web, browser)
                rig.fresh()
                async with connect(rig.url) as redis:
                    await fill(redis)
                return figures | {SLOWEST.format(page): await _slowest(browser, page) for page in PAGES}


async def _live(rig: Rig, here: Site, web: subprocess.Popen[bytes], browser: httpx.AsyncClient) -> Figures:
    """Jobs a second without and with viewers, in turns; each begins as often, as the history fills up."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    spent: list[float] = []
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for turn in range(TURNS):
        for watched in (turn % 2 == 1, turn % 2 == 0):
            async with _viewers(here.settings.port, cookie, VIEWERS if watched else 0):
                began, cpu = time.monotonic(), cpu_seconds(web.pid)
                rates[watched].append(await asyncio.to_thread(_throughput, rig))
                if watched:
                    spent.append((cpu_seconds(web.pid) - cpu) / (time.monotonic() - began) * 100)
    none, watched_rate = (statistics.median(rates[watched]) for watched in (False, True))
    async with _viewers(here.settings.port, cookie, VIEWERS):
        alone = await asyncio.to_thread(_redis_load, rig)
    return {REDIS: alone, LOST: max(0.0, (1 - watched_rate / none) * 100), CPU: statistics.median(spent)}


def _redis_load(rig: Rig) -> float:
    """What Redis spends while no worker runs: unlike throughput, no busy neighbour changes it."""
    began, before = time.monotonic(), cpu_seconds(rig.server.pid)
    time.sleep(ALONE_S)
    return (cpu_seconds(rig.server.pid) - before) / (time.monotonic() - began) * 100


def _throughput(rig: Rig) -> float:
    rig.tally.reset()
    rig.call(OURS, "fill", OURS.jobs)
    with rig.workers(OURS):
        return rig.drain(OURS, OURS.jobs)


@asynccontextmanager
async def _viewers(port: int, cookie: str, n: int) -> AsyncIterator[None]:
    """So many browsers with a live page open, reading all that comes."""

    async def watch(path: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        opened.release()
        try:
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    opened = asyncio.Semaphore(0)
    watching = [asyncio.create_task(watch(WATCHED[number % len(WATCHED)])) for number in range(n)]
    for _ in watching:
        await opened.acquire()
    yield
    for task in watching:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _slowest(browser: httpx.AsyncClient, page: str) -> float:
    """In ms, as the browser sees it."""
    slowest = 0.0
    for _ in range(ASKED):
        began = time.perf_counter()
        response = await browser.get(page)
        slowest = max(slowest, time.perf_counter() - began)
        assert response.status_code == 200, page
    return slowest * 1000

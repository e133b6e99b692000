"""How long pages take at 100 requests a second, while a worker beside them has 100 jobs of 20 ms in flight."""

from __future__ import annotations

import asyncio
import os
import re
import time
from datetime import UTC, datetime, timedelta

from app.background import NICE
from app.reminders.models import Reminder
from jobs import connect, task, worker_settings
from tests.bench.rig import Rig
from tests.bench.subjects import SITE, Subject
from tests.bench.table import Figures, Target, at_least, at_most, percentile
from tests.site import site

SUBJECTS = (SITE,)
PAGES = ("/", "/account", "/reminders/", "/reminders/new", "/reminders/1", "/reminders/1/edit")
PER_SECOND, SECONDS, WARM_S = 100, 30, 3
CONNECTIONS = 19  # no divisor in common with the number of pages: each connection asks for all
IN_FLIGHT, NAP_S = 100, 0.02
JOBS = "pages: jobs that ran beside them, per second"
P50 = "page {}, p50 ms"
P99 = "page {}, p99 ms"
FAILED = "pages that failed"

TARGETS = (
    *(Target(P99.format(page), "< 50 ms", at_most(SITE, 50)) for page in PAGES),
    Target(FAILED, "0", at_most(SITE, 0)),
    Target(JOBS, "some (>= 500)", at_least(SITE, 500)),
)


@task(name="bench.nap")
async def nap() -> None:
    """As soon as one ends the next one waits, so that as many are in flight as there are slots."""
    await asyncio.sleep(NAP_S)
    await nap.delay()


WorkerSettings = worker_settings(
    redis_url=os.environ.get("REDIS_URL", "redis://localhost"),
    tasks=[nap],
    max_jobs=IN_FLIGHT,
    keep_result=0,
    nice=NICE,  # as the site's own worker
)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figures:
    async with site(rig.url) as here:
        async with here.database.session() as db:
            for day in range(200):
                date = datetime.now(UTC) + timedelta(days=day + 1)
                db.add(Reminder(date=date, email="alice@example.org", text=f"Day {day}: water the plants"))
            await db.commit()
        with here.process("app.serve"), here.process("arq", "tests.bench.pages.WorkerSettings"):
            cookie = await here.signed_in()
            async with connect(rig.url):
                await asyncio.gather(*(nap.delay() for _ in range(IN_FLIGHT)))
            await ask(here.settings.port, cookie, WARM_S)
            ran = finished(rig)
            taken, failed = await ask(here.settings.port, cookie, SECONDS)
            ran = finished(rig) - ran
    figures = {JOBS: ran / SECONDS, FAILED: float(failed)}
    for page, times in taken.items():
        figures[P50.format(page)] = percentile(times, 0.5)
        figures[P99.format(page)] = percentile(times, 0.99)
    return figures


async def ask(port: int, cookie: str, seconds: float) -> tuple[dict[str, list[float]], int]:
    """Ask for the pages in turn, each at its moment, over kept connections; in ms from that moment on.

    A page that is late because the one before it on the connection was slow counts as late.
    """
    taken: dict[str, list[float]] = {page: [] for page in PAGES}
    failed = 0
    began = time.perf_counter() + 0.1

    async def visit(first: int) -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, int(PER_SECOND * seconds), CONNECTIONS):
            due = began + number / PER_SECOND
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            page = PAGES[number % len(PAGES)]
            request = f"GET {page} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            taken[page].append((time.perf_counter() - due) * 1000)
            failed += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(visit(first) for first in range(CONNECTIONS)))
    return taken, failed


def finished(rig: Rig) -> int:
    """Jobs that have ended so far, by the counters of every minute."""
    total = 0
    for key in rig.redis.scan_iter("jobs:stats:*"):
        counted = rig.redis.hgetall(key)
        total += int(counted.get(b"bench.nap|SUCCESS", 0))
    return total

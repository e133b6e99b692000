"""r24: what is saved on a page stays saved, whatever happens to the database while pages and workers write."""

from __future__ import annotations

import asyncio
import re
import resource
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from redis.asyncio import Redis
from sqlalchemy import select, text

from app.reminders.models import Reminder
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.postgres_server import PostgresServer
from tests.site import TOKEN, Site, site
from tests.waiting import wait_until

END_ALL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = 'quarq' AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass
class Saved:
    """What one browser has sent, and what it was told."""

    answers: Counter[int] = field(default_factory=Counter)
    """Status of each answer; 0: none came."""
    texts: set[str] = field(default_factory=set)
    """The reminders that the site has said it saved."""
    wrong: list[str] = field(default_factory=list)
    """Pages that tell of something which no user should read."""

    @property
    def faults(self) -> int:
        return sum(count for status, count in self.answers.items() if status not in (0, 200, 303, 503))


@scenario("r24", "the database: killed writers, a full disk, ended sessions, a restart, a standby")
async def databases(stage: Stage) -> None:
    await on_sqlite(stage)
    await on_postgres(stage)


async def on_sqlite(stage: Stage) -> None:
    async with site(stage.url) as here:
        with ExitStack() as stack:
            running = [stack.enter_context(here.process(*command)) for command in commands(workers=4)]
            async with saving(here) as saved:
                for _ in range(stage.size(20, 5)):
                    await asyncio.sleep(stage.size(1.5, 0.7))
                    victim = stage.rng.randrange(len(running))
                    running[victim].kill()
                    running[victim].wait()  # its port is free then
                    running[victim] = stack.enter_context(here.process(*commands(workers=4)[victim]))
                await wait_until(lambda: saved.answers[303] > 10, "pages that save", timeout_s=30)
            await check_saved(stage, "SQLite, writers killed", here, saved)
            await fill_disk(stage, here, running[0])
        async with here.database.session() as db:
            state = (await db.execute(text("PRAGMA integrity_check"))).scalar()
        stage.check("SQLite: PRAGMA integrity_check after it", state, state == "ok")
        locked = (here.settings.data_dir / "log").read_text().count("database is locked")
        stage.check('SQLite: nobody was told "database is locked"', locked, locked == 0)


async def fill_disk(stage: Stage, here: Site, web: subprocess.Popen[bytes]) -> None:
    """No file of the web process may grow any more, as on a full disk; then it may again."""
    async with here.browser() as browser:
        assert await save(browser, "before") == 303
        _, hard = resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        full = [await save(browser, f"full {n}") for n in range(5)]
        reading = (await browser.get("/reminders/")).status_code
        resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (hard, hard))
        began = time.monotonic()
        await wait_until(lambda: works(browser), "the site to save again", timeout_s=30)
        took = time.monotonic() - began
    stage.check("SQLite, disk full: what cannot be saved is a 503", Counter(full), set(full) == {503})
    stage.check("SQLite, disk full: what is there can be read", reading, reading == 200)
    stage.check("SQLite: saves again <= 5 s after there is room", f"{took:.1f} s", took <= 5)


async def on_postgres(stage: Stage) -> None:
    server = PostgresServer().start()
    try:
        async with site(stage.url, database_url=server.url("postgres")) as here:
            with ExitStack() as stack:
                for command in commands(workers=2):
                    stack.enter_context(here.process(*command))
                async with saving(here) as saved:
                    for _ in range(stage.size(6, 2)):
                        await asyncio.sleep(stage.size(5, 1))
                        await asyncio.to_thread(server.run, "psql", "--quiet", "--command", END_ALL)
                await check_saved(stage, "Postgres, sessions ended", here, saved)
                for name, fault, mend in (
                    ("killed", server.kill9, server.start),
                    ("read-only", lambda: read_only(server, "on"), lambda: read_only(server, "off")),
                ):
                    await away(stage, here, name, fault, mend)
    finally:
        server.remove()


async def away(stage: Stage, here: Site, name: str, fault: Callable[[], object], mend: Callable[[], object]) -> None:
    """503 while it is, saved again within seconds of its end, in the same processes."""
    async with saving(here) as saved:
        await wait_until(lambda: saved.answers[303] > 3, "pages that save", timeout_s=30)
        await asyncio.to_thread(fault)
        await wait_until(lambda: saved.answers[503] > 3, "pages that say so", timeout_s=30)
        await asyncio.sleep(stage.size(10, 1))
        await asyncio.to_thread(mend)
        began, before = time.monotonic(), saved.answers[303]
        await wait_until(lambda: saved.answers[303] > before, "the site to save again", timeout_s=60)
        took = time.monotonic() - began
    await check_saved(stage, f"Postgres, {name}", here, saved)
    stage.check(f"Postgres, {name}: saves again <= 5 s after its end", f"{took:.1f} s", took <= 5)


def read_only(server: PostgresServer, switch: str) -> None:
    server.run("psql", "--command", f"ALTER SYSTEM SET default_transaction_read_only = {switch}")
    server.run("psql", "--command", "SELECT pg_reload_conf()")


def commands(workers: int) -> list[tuple[str, ...]]:
    return [("app.serve",), *[("arq", "worker.WorkerSettings")] * workers]


@asynccontextmanager
async def saving(here: Site) -> AsyncIterator[Saved]:
    """Three windows of one browser save reminders, one after the other, until the block ends."""
    saved, ended = Saved(), asyncio.Event()

    counters = Redis.from_url(here.settings.redis_url)  # nobody sets so many reminders a day

    async def window(name: str) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            words = f"{here.settings.port} {time.monotonic_ns()} {name} {number}"
            await counters.delete(*[key async for key in counters.scan_iter("app:limit:*")] or ["none"])
            status = await save(browser, words, saved.wrong)
            saved.answers[status] += 1
            if status == 303:
                saved.texts.add(words)
            await asyncio.sleep(0.02)

    async with here.browser() as browser:
        windows = [asyncio.create_task(window(name)) for name in ("left", "middle", "right")]
        try:
            yield saved
        finally:
            ended.set()
            await asyncio.gather(*windows)
            await counters.aclose()


async def save(browser: httpx.AsyncClient, words: str, wrong: list[str] | None = None) -> int:
    """Open the form, fill it in, send it; the status of what came last."""
    try:
        response = await browser.get("/reminders/new")
        if response.status_code == 200 and (found := TOKEN.search(response.text)):
            form = {"csrf_token": found[1], "text": words, "in": "1h"}
            response = await browser.post("/reminders/new", data=form)
    except httpx.TransportError:
        return 0
    if wrong is not None and re.search("locked|Traceback|asyncpg|sqlite3", response.text):
        wrong.append(response.text)
    return response.status_code


async def works(browser: httpx.AsyncClient) -> bool:
    return await save(browser, "after") == 303


async def check_saved(stage: Stage, name: str, here: Site, saved: Saved) -> None:
    async with here.database.session() as db:
        rows = set(await db.scalars(select(Reminder.text)))
    told = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(saved.answers.items()))
    stage.check(f"{name}: saved, or 503", told, saved.faults == 0 and saved.answers[303] > 0 and not saved.wrong)
    lost = len(saved.texts - rows)
    stage.check(f"{name}: lost of {len(saved.texts)} saved ones", lost, lost == 0)

"""w4, w8: what strangers send to the web process, and how slowly, at full size; tests in app/ are the short form."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

from jobs.monitor_site.web.connections import UNREAD_S
from tests.app import slow
from tests.app.fuzzing import Outcome, batter, families, people
from tests.app.malformed import batter_broken
from tests.app.web_server import Server, p99, serving
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.postgres_server import PostgresServer
from tests.site import site
from tests.waiting import wait_until

EACH = 5_000
"""Random requests to each feature, on each kind of database."""
BROKEN = 5_000
"""Requests that are no HTTP, the same."""
MOST_MB = 30
"""So much more memory may a server have after them than after a tenth of them."""
AT_ONCE = 2_000
"""Slow clients of each kind."""


@scenario("w4", "10,000 random requests to each feature of the site, and 10,000 that are no HTTP", short=False)
async def random_requests(stage: Stage) -> None:
    await on_database(stage, "SQLite", "")
    postgres = PostgresServer().start()
    try:
        await on_database(stage, "Postgres", postgres.url("postgres"))
    finally:
        postgres.remove()


async def on_database(stage: Stage, kind: str, url: str) -> None:
    await stage.redis.flushall()
    asked = {"smtp_server": "", "smtp_from": "", "trusted_proxies": 1, "database_url": url}
    async with site(stage.url, **asked) as here, serving(here) as server:
        stranger, alice, owner = await people(server)
        everybody = [stranger, alice, alice, owner, owner]
        total, slowest, most_mb = Outcome(), 0.0, 0.0
        for feature, routes in {**await families(server), "no HTTP": []}.items():
            count = EACH if routes else BROKEN
            for part in (count // 10, count - count // 10):
                before = server.memory_mb
                if routes:
                    outcome = await batter(server, routes, everybody, part, stage.rng)
                else:
                    outcome = await batter_broken(server, part, stage.rng)
                total += outcome
            answers = ", ".join(f"{times} x {status}" for status, times in outcome.statuses.most_common(5))
            slow_ones, mb = p99(outcome.waits), server.memory_mb - before
            figures = f"p99 {slow_ones * 1000:.0f} ms, {mb:+.1f} MB"
            print(f"    {kind}, {feature}: {answers}; {figures}", *outcome.faults[:5], sep="\n        ", flush=True)
            slowest, most_mb = max(slowest, slow_ones), max(most_mb, mb)
        log = server.log
    asked_for = sum(total.statuses.values())
    stage.check(f"{kind}: faults in {asked_for:,} requests", len(total.faults), not total.faults)
    stage.check(f"{kind}: p99 < 1 s, of each feature", f"{slowest * 1000:.0f} ms", slowest < 1)
    stage.check(f"{kind}: memory stays, after each", f"{most_mb:+.1f} MB", most_mb < MOST_MB)
    stage.check(f"{kind}: no traceback in the log", f"{len(log)} bytes", "Traceback" not in log)


@scenario("w8", "2,000 slow, silent, deaf and live connections of each kind", short=False)
async def slow_connections(stage: Stage) -> None:
    async with site(stage.url) as here, serving(here) as server:
        _, _, owner = await people(server)
        for kind, come_s, stay_s, answers in (
            (slow.slow_head, 4, 8, {0}),
            (slow.slow_body, 8, 15, {408}),
            (slow.silent, 4, 8, {0}),
            (slow.idle, 8, 8, {200}),
            (slow.websocket, 8, 4, {403}),
            (slow.deaf, 20, UNREAD_S + 25, {0}),
            (partial(slow.live, cookie=owner.cookie), 20, 15, {200, 503}),
        ):
            name = getattr(kind, "__name__", "live")
            await hold(stage, server, name, kind, come_s, stay_s, answers)
        log = server.log
        stage.check("no traceback in the log", f"{len(log)} bytes", "Traceback" not in log)


async def hold(
    stage: Stage,
    server: Server,
    name: str,
    kind: Callable[[Server], Awaitable[int]],
    come_s: float,
    stay_s: float,
    answers: set[int],
) -> None:
    """So many of this kind come within *come_s*, one after the other, and none may stay for longer than *stay_s*."""
    told: Counter[int] = Counter()
    lived: list[float] = []
    before = server.open_files

    async def client(number: int) -> None:
        await asyncio.sleep(number * come_s / AT_ONCE)
        began = time.monotonic()
        told[await kind(server)] += 1
        lived.append(time.monotonic() - began)

    async with server.pinging() as waits:
        await asyncio.gather(*map(client, range(AT_ONCE)))
    slowest = p99(waits)
    print(f"    {name}: {dict(told)}, of others p50 {median(waits) * 1000:.0f} ms", flush=True)
    stage.check(f"{name}: p99 of others < 300 ms", f"{slowest * 1000:.0f} ms", slowest < 0.3)
    stage.check(f"{name}: none stays for {stay_s} s", f"{max(lived):.1f} s", max(lived) < stay_s)
    stage.check(f"{name}: answers", dict(told), set(told) <= answers)
    await wait_until(lambda: server.open_files < before + 40, f"all {name} to be closed", timeout_s=30)

"""m2: a mail server that takes 20 s for each mail, and how long everybody else waits beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.accounts.links import make_link
from app.accounts.tasks import send_sign_in_link
from app.digest import batch, steering
from app.playground.tasks import multiply
from app.reminders import tasks as reminders
from app.reminders.models import Reminder, State
from tests.bench.table import percentile
from tests.chaos.scenarios import scenario
from tests.chaos.scenarios.digest import sending
from tests.chaos.scenarios.reminders import add, check_once, counted
from tests.chaos.stage import Stage
from tests.site import Site, site
from tests.waiting import wait_until

SLOW_S = 20


@scenario("m2-digest", "the mail server takes 20 s for each mail of a digest to 10,000", short=False)
async def of_a_digest(stage: Stage) -> None:
    """Measured before any mail is handed over, and while as many as may be are."""
    async with sending(stage, 10_000) as digest:
        digest.here.smtp.delay_s = SLOW_S
        await digest.steer(steering.pause)
        digest.fleet.start()
        alone = await other_jobs_alone()
        await digest.steer(steering.resume)
        await wait_for_connections(digest.here, batch.AT_ONCE * batch.CONNECTIONS)
        await check_others(stage, digest.here, alone)


@scenario("m2-reminders", "the mail server takes 20 s for each of 300 reminders due at once", short=False)
async def of_reminders(stage: Stage) -> None:
    """A link to sign in is asked for meanwhile; at the end the server is quick again."""
    count = 300
    async with site(stage.url) as here:
        with here.process("arq", "worker.WorkerSettings"):
            alone = await other_jobs_alone()
            here.smtp.delay_s = SLOW_S
            await add(here, [datetime.now(UTC)] * count)
            await wait_for_connections(here, reminders.AT_ONCE)
            await check_others(stage, here, alone)
            link = await sign_in_mail(here)
            here.smtp.delay_s, began = 0, time.monotonic()
            sent = Reminder.state == State.SENT
            await wait_until(lambda: counted(here, sent, count), "all to be sent", timeout_s=120)
            all_s = time.monotonic() - began
    check_once(stage, here, count)
    stage.check("a link to sign in leaves <= 1 s later than it must", f"{link - SLOW_S:.2f} s", link <= SLOW_S + 1)
    stage.check("all sent <= 60 s after it is quick again", f"{all_s:.0f} s", all_s <= 60)


async def check_others(stage: Stage, here: Site, alone: float) -> None:
    """What is not mail goes on as before: *alone* is the p99 of other jobs without any mail, in ms."""
    beside = await took(600, other_job)
    with here.process("app.serve"):
        async with here.browser() as browser:
            pages = await took(200, lambda: browser.get("/account"))
    mails = len(here.smtp.accepted)
    ratio = f"{beside:.1f} ms, {alone:.1f} ms without ({mails} mails sent)"
    stage.check("p99 of other jobs within 1.5x", ratio, beside <= 1.5 * alone)
    stage.check("p99 of pages <= 300 ms", f"{pages:.0f} ms", pages <= 300)


async def sign_in_mail(here: Site) -> float:
    """How long one takes from its request until the mail server has it, in seconds."""
    began = time.time()
    async with here.database.transaction() as db:
        link = await make_link(db, here.settings.secret_key, "charlie@example.org")
    await send_sign_in_link.delay(link.id)

    def taken() -> list[float]:
        return [mail.at for mail in here.smtp.accepted if mail.recipients == ["charlie@example.org"]]

    [at] = await wait_until(taken, "the link to sign in", timeout_s=60)
    return float(at) - began


async def wait_for_connections(here: Site, most: int) -> None:
    """Until as many mails are under way as may be."""
    await wait_until(lambda: here.smtp.open_now >= most, f"{most} connections", timeout_s=60)


async def other_jobs_alone() -> float:
    await took(200, other_job)  # the worker has started
    return await took(600, other_job)


async def other_job() -> None:
    await (await multiply.delay(4, 4)).get(timeout=30)


async def took(times: int, action: Callable[[], Awaitable[object]]) -> float:
    """The 99th percentile of its time, in ms."""
    each = []
    for _ in range(times):
        began = time.perf_counter()
        await action()
        each.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
    return percentile(each, 0.99)

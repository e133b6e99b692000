"""How late reminders are mailed: 200 in one minute, and 200 at one moment."""

from __future__ import annotations

import asyncio
import random
import re
import time
from datetime import UTC, datetime, timedelta

from app.reminders.models import Reminder
from tests.bench.rig import Rig
from tests.bench.subjects import SITE, Subject
from tests.bench.table import Figures, Target, at_most, percentile
from tests.site import Site, site
from tests.waiting import wait_until

SUBJECTS = (SITE,)
COUNT = 200
SPREAD = "lateness of 200 reminders in one minute, p99 s"
AT_ONCE = "lateness of 200 reminders at one moment, p99 s"
EARLY = "reminders mailed too early"

TARGETS = (Target(SPREAD, "<= 2 s", at_most(SITE, 2)), Target(EARLY, "0", at_most(SITE, 0)))


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figures:
    async with site(rig.url) as here:
        with here.process("arq", "worker.WorkerSettings"):
            await wait_until(lambda: rig.redis.zcard("jobs:workers"), "the worker", timeout_s=30)
            spread = await lateness(here, [random.uniform(5, 65) for _ in range(COUNT)])
            at_once = await lateness(here, [5.0] * COUNT)
    return {
        SPREAD: percentile(spread, 0.99),
        AT_ONCE: percentile(at_once, 0.99),
        EARLY: float(sum(late < 0 for late in spread + at_once)),
    }


async def lateness(here: Site, seconds: list[float]) -> list[float]:
    """Commit reminders due in so many seconds, as a shell would, and see when their mails are taken."""
    here.smtp.accepted.clear()
    now = datetime.now(UTC)
    due = {}
    async with here.database.session() as db:
        for number, wait_s in enumerate(seconds):
            date = now + timedelta(seconds=wait_s)
            due[number] = date.timestamp()
            db.add(Reminder(date=date, email="alice@example.org", text=f"number {number}."))
        await db.commit()
    until_all = max(due.values()) - time.time() + 60
    await wait_until(lambda: len(here.smtp.accepted) >= COUNT, "all mails", timeout_s=until_all)
    found = [(re.search(rb"number (\d+)\.", mail.raw), mail.at) for mail in here.smtp.accepted]
    return [at - due[int(match[1])] for match, at in found if match]

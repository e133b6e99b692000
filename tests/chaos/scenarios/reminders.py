"""m1, r10: reminders while the mail server is away, and after Redis has forgotten them."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import func, select, update

from app.reminders.models import Reminder, State
from jobs import Result
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.site import Site, site
from tests.waiting import wait_until


@scenario("m1", "the mail server is away for two hours with 1,000 reminders due, then back")
async def mail_server_away(stage: Stage) -> None:
    """The two hours are written into the rows: how long each has waited and, by the back-off, still would."""
    count = stage.size(1_000, 100)
    async with site(stage.url) as here:
        await here.smtp.stop()
        oldest = datetime.now(UTC) - timedelta(seconds=count)
        await add(here, [oldest + timedelta(seconds=place) for place in range(count)])
        waiting = (Reminder.state == State.SCHEDULED, Reminder.unreachable_since.is_not(None))
        with here.process("arq", "worker.WorkerSettings"):
            await wait_until(lambda: counted(here, *waiting, count), "all to find nobody", timeout_s=120)
            held = await stage.slots_held()
            await pretend_two_hours(here)
            began = time.time()
            await here.smtp.start()
            await wait_until(lambda: len(here.smtp.accepted) >= count, "all mails", timeout_s=900)
            took = time.time() - began
            await wait_until(lambda: counted(here, Reminder.state == State.SENT, count), "records", timeout_s=30)
            tries = await counted(here, Reminder.attempts == 0, count)
    check_once(stage, here, count)
    places = [number for number, _ in mailed(here)]
    moved = max(abs(place - at) for at, place in enumerate(places))
    per_second = max(Counter(int(at) for _, at in mailed(here)).values())
    stage.check("no worker slot is held while they wait", held, held == 0)
    stage.check("all sent <= 10 min after it is up", f"{took:.0f} s", took <= 600)
    stage.check("oldest first (places moved)", moved, moved <= 40)
    stage.check("not all at once (mails in one second)", per_second, per_second <= 40)
    stage.check("an unreachable server used no try", tries, bool(tries))


@scenario("r10", "Redis is emptied with 10,000 reminders pending")
async def emptied(stage: Stage) -> None:
    count = stage.size(10_000, 300)
    first, last = stage.size((90, 240), (45, 60))
    async with site(stage.url) as here:
        now = datetime.now(UTC)
        dates = [now + timedelta(seconds=stage.rng.uniform(first, last)) for _ in range(count)]
        await add(here, dates)
        with here.process("arq", "worker.WorkerSettings"):
            await wait_until(lambda: armed(stage, count), "all to be armed", timeout_s=60)
            stage.server.restart_empty()
            began = time.monotonic()
            await wait_until(lambda: armed(stage, count), "all to be armed again", timeout_s=120)
            took = time.monotonic() - began
            until_all = last + 300
            await wait_until(lambda: len(here.smtp.accepted) >= count, "all mails", timeout_s=until_all)
            await wait_until(lambda: counted(here, Reminder.state == State.SENT, count), "records", timeout_s=30)
    late = sorted(at - dates[number].timestamp() for number, at in mailed(here))
    check_once(stage, here, count)
    stage.check("all armed again <= 60 s", f"{took:.1f} s", took <= 60)
    stage.check("none early", f"{late[0]:+.2f} s", late[0] >= -0.01)
    stage.check("p99 of lateness, for the record", f"{late[int(len(late) * 0.99)]:.1f} s", True)


async def add(here: Site, dates: list[datetime]) -> None:
    async with here.database.session() as db:
        for number, date in enumerate(dates):
            db.add(Reminder(date=date, email="alice@example.org", text=f"number {number}."))
        await db.commit()


async def pretend_two_hours(here: Site) -> None:
    """As two hours of backing off leave them: the next try up to 30 minutes away, in SQL and in Redis."""
    now = datetime.now(UTC)
    async with here.database.session() as db:
        reminders = (await db.scalars(select(Reminder))).all()
        for reminder in reminders:
            reminder.next_try_at = now + timedelta(minutes=random.uniform(1, 30))
            await db.execute(
                update(Reminder)
                .where(Reminder.id == reminder.id)
                .values(next_try_at=reminder.next_try_at, unreachable_since=now - timedelta(hours=2))
            )
        await db.commit()
    await asyncio.gather(*(Result(reminder.job_id).reschedule(reminder.next_try_at) for reminder in reminders))


async def counted(here: Site, *which: object) -> bool:
    """Whether so many rows (the last argument) are like that."""
    *conditions, count = which
    async with here.database.session() as db:
        return await db.scalar(select(func.count()).select_from(Reminder).where(*conditions)) == count  # type: ignore[arg-type]


async def armed(stage: Stage, count: int) -> bool:
    try:
        return await stage.redis.zcard("arq:queue") == count
    except RedisError:  # it has just been killed
        return False


def mailed(here: Site) -> list[tuple[int, float]]:
    """Which reminder's mail was taken, and when."""
    found = [(re.search(rb"number (\d+)\.", mail.raw), mail.at) for mail in here.smtp.accepted]
    return [(int(match[1]), at) for match, at in found if match]


def check_once(stage: Stage, here: Site, count: int) -> None:
    times = Counter(number for number, _ in mailed(here))
    twice = sum(n > 1 for n in times.values())
    stage.check("each mailed once", f"{len(times)} of {count}, {twice} twice", len(times) == count and not twice)

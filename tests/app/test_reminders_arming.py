"""A committed reminder is mailed at its time: whoever committed it, and whatever Redis has lost meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from app import create_app
from app.context import close, task_context
from app.database import Database
from app.reminders import arming, delivery
from app.reminders.models import Reminder, State
from jobs import connect
from jobs.testing import Clock, Workers
from settings import Settings
from tests.app.working import follow, site_of, working
from tests.redis_server import RedisServer
from tests.smtp_server import SmtpServer, mailing
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases("which reminders are armed is decided in SQL")


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    return mailing(settings, smtp)


@pytest.fixture
def following(jobs_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site goes by the clock of its worker, and looks for new reminders more often."""
    follow(jobs_clock, monkeypatch, arming, delivery)
    monkeypatch.setattr(arming, "TICK_S", 0.05)


async def add(database: Database, count: int = 1, *, seconds: float = 0, **given: Any) -> None:
    """As a shell would: no page, no Redis, no other call."""
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    async with database.session() as db:
        for number in range(count):
            db.add(Reminder(**({"date": date, "email": "alice@example.org", "text": f"Number {number}"} | given)))
        await db.commit()


async def states(database: Database) -> dict[str, int]:
    async with database.session() as db:
        rows = await db.execute(select(Reminder.state, func.count()).group_by(Reminder.state))
        return {state: count for state, count in rows}


@pytest.fixture
async def arming_app(settings: Settings, database: Database) -> AsyncIterator[None]:
    """What the loop beside a worker has: the app's context and a Redis, but nobody who runs the jobs."""
    app = create_app(settings)
    async with task_context(app)(None), connect(settings.redis_url):
        yield
    await close(app)


async def test_a_row_that_was_only_committed_is_mailed_at_its_time(
    settings: Settings, database: Database, smtp: SmtpServer, jobs_worker: Workers, jobs_clock: Clock, following: None
) -> None:
    async with site_of(jobs_worker, settings):
        await add(database, seconds=7200)
        await wait_until(lambda: armed(database), "the alarm")
        await jobs_clock.advance(hours=1, minutes=59)
        assert await states(database) == {State.SCHEDULED: 1}
        await jobs_clock.advance(minutes=1)

    assert len(smtp.accepted) == 1
    assert await states(database) == {State.SENT: 1}


async def test_it_runs_in_the_context_of_the_site(settings: Settings, database: Database, smtp: SmtpServer) -> None:
    async with working(settings):
        await add(database)
        [mail] = await wait_until(lambda: smtp.accepted, "the mail")

    assert f"{settings.base_url}/reminders/".encode() in mail.raw


async def test_an_edit_moves_the_mail(
    settings: Settings, database: Database, smtp: SmtpServer, jobs_worker: Workers, jobs_clock: Clock, following: None
) -> None:
    async with site_of(jobs_worker, settings):
        await add(database, seconds=7200)
        await wait_until(lambda: armed(database), "the first alarm")
        async with database.session() as db:
            reminder = (await db.scalars(select(Reminder))).one()
            reminder.date = datetime.now(UTC) + timedelta(hours=1)
            reminder.text = "Sooner"
            await db.commit()
        await wait_until(lambda: armed(database), "the second alarm")
        await jobs_clock.advance(hours=1)
        assert await states(database) == {State.SENT: 1}
        await jobs_clock.advance(hours=2)

    [mail] = smtp.accepted
    assert b"Sooner" in mail.raw


async def armed(database: Database) -> int:
    async with database.session() as db:
        return await db.scalar(select(func.count()).where(Reminder.armed_at.is_not(None))) or 0


async def test_what_is_due_within_a_day_is_armed_and_nothing_else(
    arming_app: None, database: Database, redis: Redis
) -> None:
    await add(database, 3, seconds=3600)
    await add(database, 2, seconds=86_400 + 60)
    await add(database, seconds=60, state=State.CANCELLED)

    assert await arming.arm_new() == 3
    assert await arming.arm_new() == 0
    assert sorted(await redis.zrange("arq:queue", 0, -1)) == [b"reminder:1:0", b"reminder:2:0", b"reminder:3:0"]


async def test_many_may_sweep_at_once(arming_app: None, database: Database, redis: Redis) -> None:
    await add(database, 1_200, seconds=3600)

    await asyncio.gather(*(arming.arm_new() for _ in range(4)))
    await asyncio.gather(*(arming.sweep() for _ in range(4)))

    assert await redis.zcard("arq:queue") == 1_200
    assert await armed(database) == 1_200


async def test_an_emptied_redis_is_noticed_and_filled_again(arming_app: None, database: Database, redis: Redis) -> None:
    """A quarter of the 10,000 of `make chaos CHAOS=r10`: a minute for those, half of it until the next sweep."""
    await add(database, 2_500, seconds=3600)
    await arming.arm_new()
    await redis.flushall()

    began = time.monotonic()
    await arming.sweep()
    await arming.arm_new()

    assert await redis.zcard("arq:queue") == 2_500
    assert time.monotonic() - began < 30 / 4


async def test_the_alarms_set_last_are_asked_for_first(arming_app: None, database: Database, redis: Redis) -> None:
    """A Redis that crashed has lost its last second, not everything."""
    await add(database, 50, seconds=3600)
    await arming.arm_new()
    await add(database, 1, seconds=7200)
    await arming.arm_new()
    await redis.zrem("arq:queue", "reminder:51:0")
    await redis.delete("arq:job:reminder:51:0", "jobs:job:reminder:51:0")

    await arming.sweep()
    await arming.arm_new()

    assert await redis.zscore("arq:queue", "reminder:51:0")


async def test_an_overdue_one_is_armed_whatever_became_of_its_alarm(
    arming_app: None, database: Database, redis: Redis
) -> None:
    await add(database, seconds=3600)
    await arming.arm_new()
    await redis.hset("jobs:job:reminder:1:0", mapping={"state": "FAILURE", "until": "99999999999999"})
    await redis.delete("arq:job:reminder:1:0")
    await redis.zrem("arq:queue", "reminder:1:0")
    async with database.session() as db:
        await db.execute(update(Reminder).values(next_try_at=datetime.now(UTC) - timedelta(minutes=2)))
        await db.commit()

    await arming.sweep()

    assert await redis.zscore("arq:queue", "reminder:1:0")


async def test_of_many_overdue_ones_those_that_wait_longest_come_first(
    arming_app: None, database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arming, "MAX_ROWS", 2)
    for seconds in (-120, -180, -240):
        await add(database, seconds=seconds)
    async with database.session() as db:
        sending = Reminder.id == 3
        died = datetime.now(UTC) - timedelta(minutes=3)
        await db.execute(update(Reminder).where(sending).values(state=State.SENDING, claimed_until=died))
        await db.commit()

    await arming.sweep()

    assert await redis.zrange("arq:queue", 0, -1) == [b"reminder:3:0", b"reminder:2:0"]


async def test_redis_away_while_rows_are_committed(
    tmp_path_factory: pytest.TempPathFactory, settings: Settings, database: Database, smtp: SmtpServer
) -> None:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    try:
        async with working(replace(settings, redis_url=server.url)):
            server.kill9()
            await add(database, 5)
            await asyncio.sleep(2)  # it tries meanwhile, in vain
            assert not smtp.accepted
            server.start()

            async def all_sent() -> bool:
                return await states(database) == {State.SENT: 5}

            await wait_until(all_sent, "the mails", timeout_s=30)
    finally:
        server.stop()
    assert len(smtp.accepted) == 5


async def test_when_the_mail_server_is_back_all_go_oldest_first_and_once(
    settings: Settings, database: Database, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shrunk form of `make chaos`'s two hours with 1,000 reminders."""
    monkeypatch.setattr(arming, "SWEEP_S", 1.0)
    await smtp.stop()
    for age in range(60):
        await add(database, seconds=-age, text=f"{age} seconds old")

    async with working(settings) as worker:

        async def all_wait() -> bool:
            async with database.session() as db:
                waiting = Reminder.unreachable_since.is_not(None) & (Reminder.state == State.SCHEDULED)
                return await db.scalar(select(func.count()).where(waiting)) == 60

        await wait_until(all_wait, "all reminders to have found nobody", timeout_s=20)
        await wait_until(lambda: worker.statistics().running == 0, "no slot to be held while they wait")
        await smtp.start()

        async def all_sent() -> bool:
            return await states(database) == {State.SENT: 60}

        await wait_until(all_sent, "all mails", timeout_s=40)

    assert len(smtp.accepted) == 60
    texts = [mail.message.get_body(("plain",)).get_content().split()[0] for mail in smtp.accepted]  # type: ignore[union-attr]
    assert len(set(texts)) == 60
    places = [59 - int(text) for text in texts]
    assert sum(abs(place - at) for at, place in enumerate(places)) < 60 * 3, "the oldest go first"
    assert smtp.accepted[-1].at - smtp.accepted[0].at > 60 / arming.RELEASED_PER_SECOND * 0.7, "not all at once"
    async with database.session() as db:
        assert set(await db.scalars(select(Reminder.attempts))) == {0}

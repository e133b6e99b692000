"""The digest on a real worker: when it is due, that it comes to everybody, and that no worker's death ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.background import schedules
from app.blog import Post
from app.database import Database
from app.digest.models import Delivery, Digest, State, Step
from app.digest.tasks import digest, send_test
from app.subscribers import models as subscribers
from app.subscribers.digest_schedule import next_digest
from app.subscribers.models import Subscriber
from jobs import Result, connect, monitor
from jobs.testing import Clock, Workers
from settings import Settings
from tests.app.working import site_of, working
from tests.smtp_server import mailing, smtp_server
from tests.waiting import wait_until


async def fill(database: Database, readers: int) -> None:
    async with database.session() as db:
        db.add(Post(title="One", text="Words", published_at=datetime.now(UTC)))
        confirmed = subscribers.State.CONFIRMED
        db.add_all(Subscriber(email=f"reader{n}@example.org", state=confirmed) for n in range(readers))
        await db.commit()


async def state(database: Database) -> str | None:
    async with database.session() as db:
        return await db.scalar(select(Digest.state))


def test_it_is_due_on_saturday_at_ten_in_the_site_s_zone(settings: Settings) -> None:
    object.__setattr__(settings, "timezone", "Asia/Tokyo")

    [saturday, *_] = schedules(settings)

    assert (saturday.name, saturday.task, saturday.window) == ("weekly-digest", "digest.weekly", timedelta(days=6))
    tokyo = ZoneInfo("Asia/Tokyo")
    found = saturday.next_after(datetime(2026, 11, 26, 12, tzinfo=tokyo))
    assert found == datetime(2026, 11, 28, 10, tzinfo=tokyo)
    assert saturday.next_after(found) == datetime(2026, 12, 5, 10, tzinfo=tokyo)
    assert next_digest(found, tokyo) == saturday.next_after(found), "what subscribers are told"


@pytest.mark.timeout(90)
@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_worker_sends_it_to_everybody(settings: Settings, database: Database) -> None:
    async with smtp_server() as smtp:
        settings = mailing(settings, smtp, digest_rate=1_000)
        await fill(database, 50)
        async with working(settings), connect(settings.redis_url):
            result = await digest.delay()
            assert await result.get(timeout=20) == 1
            assert await (await digest.delay()).get(timeout=20) is None, "nothing new"

            async def done() -> bool:
                return await state(database) == State.DONE

            await wait_until(done, "the digest to be done", timeout_s=30)
            assert await Result("digest:1").state() == "SUCCESS"
            for pk in (1, None):  # that one, and the next one, which is empty
                await (await send_test.delay(pk)).get(timeout=20)
            to_owner = [mail for mail in smtp.accepted if mail.recipients == ["owner@localhost"]]
            assert [mail.message["Subject"] for mail in to_owner] == ["Test: Weekly Digest: One", "Test: Weekly Digest"]
            smtp.accepted = [mail for mail in smtp.accepted if mail not in to_owner]

        assert sorted(mail.recipients[0] for mail in smtp.accepted) == sorted(
            f"reader{n}@example.org" for n in range(50)
        )


async def test_a_worker_calls_it_each_saturday_also_after_a_change_of_the_clock(
    settings: Settings, database: Database, jobs_worker: Workers, jobs_clock: Clock
) -> None:
    """At ten in Berlin. Schedules that are due each minute are left out."""
    settings = replace(settings, timezone="Europe/Berlin")
    await jobs_clock.move_to(datetime(2026, 3, 19, tzinfo=UTC))
    weekly = [schedule for schedule in schedules(settings) if schedule.task == digest.name]
    async with site_of(jobs_worker, settings, cron_jobs=weekly) as app:
        await jobs_clock.advance(weeks=3)
        calls = (await monitor.find(app.extensions["redis"], task=digest.name)).rows

    assert [f"{call.due:%a %d %H:%M} {call.state}" for call in calls] == [
        "Sat 04 08:00 SUCCESS",
        "Sat 28 09:00 SUCCESS",
        "Sat 21 09:00 SUCCESS",
    ]


def test_its_parts_name_no_address() -> None:
    assert repr(Digest(id=1, state=State.DONE)) == "<Digest 1 done>"
    assert repr(Delivery(id=2, step=Step.SENT)) == "<Delivery 2 sent>"

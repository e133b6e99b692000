"""What strangers with one link can use up by putting off: nothing of the author's, and little of the site's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import update

from app.reminders import arming, repeating
from app.reminders.models import Reminder, State
from app.reminders.replies.acts import MOST_CHANGES, MOST_SNOOZES
from app.reminders.replies.links import reply_url
from app.reminders.series import Series
from app.web.link_rates import AN_HOUR
from app.web.rate_limits import RateLimits
from jobs import Result
from settings import Settings
from tests.app.rows import stored
from tests.app.visitor import Visitor

TODAY = datetime.now(UTC)


async def link_to(app: Quart, **values: object) -> str:
    """The link in a reminder that Alice got."""
    given = {"email": "alice@example.org", "text": "Hi", "account_id": 1, "state": State.SENT, "sent_at": TODAY}
    row = Reminder(date=TODAY, **(given | values))
    async with app.extensions["database"].session() as db:
        db.add(row)
        await db.commit()
    settings: Settings = app.extensions["settings"]
    return reply_url(row, settings).removeprefix(settings.base_url)


async def alarms(app: Quart) -> list[str]:
    """The states of every alarm that the later reminder may have had."""
    async with app.app_context():
        await arming.arm_new()
        [*_, again] = await stored(app)
        return [await Result(f"reminder:{again.id}:{n}").state() for n in range(again.revision + 1)]


REFUSED = {
    "no-consent": {"email": "bob@example.org"},
    "erased": {"text": ""},
    "too-many-snoozes": {"snoozes": MOST_SNOOZES},
}


async def counters(redis: Redis) -> set[bytes]:
    """What counts against an account or the site."""
    return {key for key in await redis.keys("app:limit:reminder*")}


@pytest.mark.parametrize("why", REFUSED)
async def test_what_is_refused_uses_up_nothing_of_the_author(
    app: Quart, alice: Visitor, visitor: Visitor, redis: Redis, why: str
) -> None:
    link = await link_to(app, **REFUSED[why])
    before = await counters(redis)

    for _ in range(3):
        assert (await visitor.post(link, do="hour")).status_code == 400
        assert visitor.marks.errors == [why]

    assert await counters(redis) == before


async def test_clicks_at_once_count_as_one(app: Quart, alice: Visitor, redis: Redis) -> None:
    link = await link_to(app)
    async with app.test_request_context("/"):
        await asyncio.gather(*(app.test_client().post(link, form={"do": "week"}) for _ in range(5)))

    [key] = [key for key in await redis.keys("app:limit:reminder-account*")]
    ahead = float(await redis.get(key)) / 1000 - datetime.now(UTC).timestamp()
    assert ahead < 86_400 / 100 + 1, "one of a hundred a day"


async def test_a_link_replies_so_often_an_hour(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    link, other = await link_to(app), await link_to(app)

    statuses = [(await visitor.client.post(link, form={"do": "done"})).status_code for _ in range(AN_HOUR + 1)]

    assert statuses == [200] * AN_HOUR + [429]
    assert (await visitor.post(link, do="done")).status_code == 429
    assert visitor.marks.errors == ["too-often"]
    assert (await visitor.post(other, do="done")).status_code == 200


async def test_replies_work_while_redis_counts_nothing(
    app: Quart, alice: Visitor, visitor: Visitor, settings: Settings
) -> None:
    link = await link_to(app)
    await app.extensions["rate_limits"].close()
    app.extensions["rate_limits"] = RateLimits("redis://127.0.0.1:1", settings.secret_key)

    assert (await visitor.post(link, do="hour")).status_code == 200


async def test_moving_it_to_and_fro_leaves_one_alarm_and_has_an_end(
    app: Quart, alice: Visitor, visitor: Visitor, redis: Redis
) -> None:
    link, found = await link_to(app), []
    for n in range(MOST_CHANGES + 2):
        await redis.delete("nothing", *await redis.keys("app:limit:repl*"))
        answer = await visitor.client.post(link, form={"do": ("hour", "tomorrow")[n % 2]})
        found.append(answer.status_code)
        if n < 5:
            states = await alarms(app)
            assert "PENDING" not in states[:-1], "the alarm of the choice before is removed"

    assert found == [200] * (MOST_CHANGES + 1) + [400]
    await visitor.post(link, do="tomorrow")
    assert visitor.marks.errors == ["moved-too-often"]
    await visitor.post(link, do="done")
    assert (await alarms(app)).count("PENDING") == 0
    assert (await visitor.post(link, do="hour")).status_code == 400


@pytest.mark.parametrize("how", ["cancelled on the page", "done", "stopped"])
async def test_one_that_was_cancelled_and_put_off_to_the_same_moment_has_an_alarm(
    app: Quart, alice: Visitor, visitor: Visitor, how: str
) -> None:
    link = await link_to(app)
    await visitor.post(link, do="hour")
    assert await alarms(app) == ["PENDING"]
    same = [row.date for row in await stored(app)]

    if how == "cancelled on the page":
        await alice.post("/reminders/2/cancel", page="/reminders/2")
    elif how == "done":
        await visitor.post(link, do="done")
    else:
        async with app.extensions["database"].transaction() as db:
            series = Series(account_id=1, email="alice@example.org", text="Hi", repeat="daily", zone="UTC")
            series.start = series.slot = TODAY
            db.add(series)
            await db.flush()
            await db.execute(update(Reminder).values(series_id=series.id))
            await repeating.stop(db, series)
    assert (await stored(app))[1].state == State.CANCELLED
    await visitor.post(link, do="hour")
    assert (await stored(app))[1].date - same[1] <= timedelta(minutes=1), "the next minute may have begun"
    assert (await alarms(app))[-1] == "PENDING"


@pytest.mark.parametrize("before", [state for state in State if state != State.SCHEDULED])
async def test_whatever_it_was_one_that_is_scheduled_again_gets_an_alarm(
    app: Quart, alice: Visitor, before: State
) -> None:
    await link_to(app, state=before, armed_at=TODAY)

    async with app.extensions["database"].transaction() as db:
        (await db.get_one(Reminder, 1)).state = State.SCHEDULED

    [row] = await stored(app)
    assert row.armed_at is None
    assert row.job_id == "reminder:1:1", "the id of the alarm before may still be taken"

"""Reminders that repeat: what follows each end of one, what an edit changes, what stops a series, and its limits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, text, update

from app.accounts.models import Account
from app.database import Database
from app.privacy import retention
from app.reminders import arming, limits
from app.reminders.advancing import GIVEN_UP, MOST_UNSENT, advance, advance_all, advance_due
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import NO_CONSENT, OPEN, Reminder, State
from app.reminders.series import Series
from tests.app.rows import change, stored
from tests.app.visitor import Visitor, words

DAY = timedelta(days=1)
START = datetime(2030, 1, 31, 8, tzinfo=UTC)  # 9:00 in Berlin, a Thursday
FORM = {"text": "Rent", "when": "2030-01-31T09:00", "repeat": "monthly"}


async def series(app: Quart) -> list[Series]:
    async with app.extensions["database"].session() as db:
        return list(await db.scalars(select(Series).order_by(Series.id)))


async def add(app: Quart, *rows: Any) -> None:
    async with app.extensions["database"].session() as db:
        db.add_all(rows)
        await db.commit()


async def end(app: Quart, state: State = State.SENT, now: datetime | None = None) -> None:
    """The open reminders end like this, and a worker looks at series 1 at *now*."""
    async with app.extensions["database"].session() as db:
        await db.execute(update(Reminder).where(Reminder.state.in_(OPEN)).values(state=state))
        await db.commit()
    latest = max(row.slot for row in await stored(app) if row.slot)
    async with app.app_context():
        await advance(1, now or latest + timedelta(seconds=1))


async def dates(app: Quart) -> list[str]:
    return [f"{row.date.astimezone(ZoneInfo('Europe/Berlin')):%m-%d %H:%M} {row.state}" for row in await stored(app)]


@pytest.mark.both_databases("one transaction writes the next one")
@pytest.mark.parametrize("state", [State.SENT, State.MISSED])
async def test_whatever_ends_one_the_next_one_follows(app: Quart, alice: Visitor, state: State) -> None:
    await alice.post("/reminders/new", **FORM)

    for _ in range(2):
        await end(app, state)

    assert await dates(app) == [f"01-31 09:00 {state}", f"02-28 09:00 {state}", "03-31 09:00 scheduled"]
    assert len({row.job_id for row in await stored(app)}) == 3
    await alice.get("/reminders/")
    assert alice.marks.states.count("repeats") == 1
    assert "Repeats on the 31st of every month, the last day of shorter months, at 09:00 (Europe/Berlin)" in words(
        alice
    )
    await alice.get("/reminders/sent")
    assert alice.marks.states.count(state) == 2


CHANGES = {
    "Europe/Berlin": ("2030-03-29T02:30", "2030-10-25T02:30"),
    "America/New_York": ("2030-03-08T02:30", "2030-11-01T01:30"),
    "Australia/Lord_Howe": ("2030-10-04T02:15", "2030-04-05T01:45"),
}


@pytest.mark.parametrize("zone", CHANGES)
async def test_over_both_clock_changes_the_wall_time_stays(app: Quart, zone: str) -> None:
    """Days pass in virtual time: each reminder is sent when it is due, and the next one is written."""
    dora = Visitor(app)
    await dora.sign_in("dora@example.org", timezone=zone)
    for pk, when in enumerate(CHANGES[zone], 1):
        await dora.post("/reminders/new", text="Pills", when=when, repeat="daily")
        for _ in range(4):
            [open_] = [row for row in await stored(app) if row.state == State.SCHEDULED]
            await change(app, state=State.SENT)
            async with app.app_context():
                await advance(pk, open_.date + timedelta(seconds=1))
        await change(app, state=State.SENT)
        there = [row.date.astimezone(ZoneInfo(zone)) for row in await stored(app) if row.series_id == pk]
        assert len({at.date() for at in there}) == 5
        assert len({at.utcoffset() for at in there}) == 2, "the clock has changed"
        skipped = [f"{at:%H:%M}" for at in there if f"{at:%H:%M}" != when[-5:]]
        assert skipped == ([] if pk == 2 else ["02:45" if "Howe" in zone else "03:30"])


@pytest.mark.both_databases("a locked row and a unique index decide")
async def test_many_workers_write_one(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    await change(app, state=State.SENT)

    async with app.app_context():
        await asyncio.gather(*(advance(1, START + DAY) for _ in range(8)), advance_all())

    assert await dates(app) == ["01-31 09:00 sent", "02-28 09:00 scheduled"]


async def test_moments_that_passed_while_no_worker_ran_are_skipped(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **(FORM | {"repeat": "daily"}))

    await end(app, State.SENT, now=START + 30 * DAY)

    assert await dates(app) == ["01-31 09:00 sent", "03-03 09:00 scheduled"]


async def test_an_open_one_is_waited_for(app: Quart, alice: Visitor) -> None:
    """While the mail server is away for days, the reminders of these days do not pile up."""
    await alice.post("/reminders/new", **(FORM | {"repeat": "daily"}))

    for state in OPEN:
        await change(app, state=state)
        async with app.app_context():
            await advance(1, START + 3 * DAY)
    assert len(await stored(app)) == 1


async def test_workers_find_what_is_over_by_themselves(app: Quart, alice: Visitor, redis: Redis) -> None:
    """Also what a process that knows of no series has ended."""
    await alice.post("/reminders/new", text="Pills", **{"in": "1h"}, repeat="daily")
    past = datetime.now(UTC) - timedelta(minutes=1)
    await change(app, state=State.SENT, slot=past)
    async with app.extensions["database"].session() as db:
        await db.execute(update(Series).values(slot=past))
        await db.commit()

    async with app.app_context():
        await advance_due()
        await arming.arm_new()

    [_, following] = await stored(app)
    assert await redis.zscore("arq:queue", following.job_id)


async def test_one_that_a_worker_cannot_continue_holds_up_no_other(app: Quart, alice: Visitor) -> None:
    """For example after a time zone was renamed, on one machine of two."""
    for _ in range(3):
        await alice.post("/reminders/new", **FORM)
    await change(app, state=State.SENT)
    for pk, values in ((1, {"zone": "Europe/Atlantis"}), (2, {"repeat": "hourly"})):
        async with app.extensions["database"].session() as db:
            await db.execute(update(Series).where(Series.id == pk).values(**values))
            await db.commit()

    async with app.app_context():
        await advance_all()

    assert (await dates(app))[3:] == ["02-28 09:00 scheduled"]


@pytest.mark.both_databases("columns have defaults of the database")
async def test_a_row_that_the_release_before_writes_is_a_reminder(app: Quart, alice: Visitor) -> None:
    """It runs next to this one for a while, and knows none of the columns for series and replies."""
    at = (
        "2030-01-31 08:00:00+00:00"
        if "postgresql" in app.extensions["settings"].database_url
        else "2030-01-31 08:00:00"
    )
    columns = (
        "date, email, text, account_id, created_at, state, reason, revision, attempts, next_try_at, claims, uncertain"
    )
    values = f"'{at}', 'alice@example.org', 'Old', 1, '{at}', 'scheduled', '', 0, 0, '{at}', 0, 0"
    async with app.extensions["database"].session() as db:
        await db.execute(text(f"INSERT INTO reminder ({columns}) VALUES ({values})"))
        await db.commit()

    for path in ("/reminders/", "/reminders/1", "/reminders/1/edit"):
        assert (await alice.get(path)).status_code == 200
    [reminder] = await stored(app)
    assert (reminder.date, reminder.snoozes, reminder.series_id) == (START, 0, None)


async def test_only_this_one_is_changed(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)

    form = {"text": "Rent, in cash", "when": "2030-02-02T10:00", "repeat": "monthly", "change": "only this one"}
    await alice.post("/reminders/1/edit", **form)

    assert await dates(app) == ["02-02 10:00 scheduled"]
    await end(app, now=datetime(2030, 2, 2, 9, 1, tzinfo=UTC))
    assert await dates(app) == ["02-02 10:00 sent", "02-28 09:00 scheduled"]
    assert [row.text for row in await stored(app)] == ["Rent, in cash", "Rent"]


async def test_this_and_all_later_are_changed(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    await end(app)
    await alice.get("/reminders/2/edit")
    assert 'value="2030-02-28T09:00"' in alice.text

    await alice.post("/reminders/2/edit", text="Higher rent", when="2030-02-28T09:00", repeat="monthly")
    await end(app)
    assert await dates(app) == ["01-31 09:00 sent", "02-28 09:00 sent", "03-31 09:00 scheduled"]
    assert [row.text for row in await stored(app)] == ["Rent", "Higher rent", "Higher rent"]

    await alice.post("/reminders/3/edit", text="Bins", when="2030-03-28T07:00", repeat="weekly")
    await end(app)
    assert (await dates(app))[2:] == ["03-28 07:00 sent", "04-04 07:00 scheduled"]
    await alice.post("/reminders/4/edit", text="Bins", when="2030-04-04T07:00", repeat="never")
    await end(app)
    assert (await dates(app))[3:] == ["04-04 07:00 sent"]


async def test_a_series_keeps_its_zone_until_its_author_moves_it(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    await alice.get("/reminders/")
    assert "other-zone" not in alice.marks.states
    await alice.sign_in(timezone="Asia/Tokyo")
    await alice.post("/account", timezone="Asia/Tokyo")
    for page in ("/reminders/", "/reminders/1"):
        await alice.get(page)
        assert "other-zone" in alice.marks.states
    assert "This series keeps the time zone Europe/Berlin" in words(alice)
    form = {"text": "Rent", "when": "2030-01-31T17:00", "repeat": "monthly"}

    await alice.post("/reminders/1/edit", **form)
    assert [row.zone for row in await series(app)] == ["Europe/Berlin"]
    await alice.get("/reminders/1/edit")
    assert "<option>this and all later, in my time zone</option>" in alice.text
    await alice.post("/reminders/1/edit", **form, change="this and all later, in my time zone")

    [moved] = await series(app)
    assert moved.rule == "on the 31st of every month, the last day of shorter months, at 17:00 (Asia/Tokyo)"
    await alice.get("/reminders/1/edit")
    assert "in my time zone" not in alice.text


async def test_one_that_did_not_repeat_can_begin_to(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **(FORM | {"repeat": "never"}))
    await alice.post("/reminders/1/edit", **FORM)

    await end(app)

    assert await dates(app) == ["01-31 09:00 sent", "02-28 09:00 scheduled"]


async def test_one_is_cancelled_and_the_series_goes_on(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)

    await alice.post("/reminders/1/cancel", page="/reminders/1")

    assert await dates(app) == ["01-31 09:00 cancelled", "02-28 09:00 scheduled"]
    await alice.get("/reminders/")
    assert alice.marks.notices == ["skipped"]
    # and the next one may take its place
    await alice.post("/reminders/2/edit", **FORM)
    assert await dates(app) == ["01-31 09:00 cancelled", "01-31 09:00 scheduled"]


@pytest.mark.both_databases("rows are locked in one order")
async def test_a_stopped_one_is_over(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    assert (await charlie.post("/reminders/1/stop", page="/reminders/")).status_code == 404

    await alice.post("/reminders/1/stop", page="/reminders/1")
    await alice.get("/reminders/1")
    assert alice.marks.notices == ["stopped"]
    assert "stopped" in alice.marks.states
    await alice.post("/reminders/1/stop", page="/reminders/1")

    await end(app)
    assert await dates(app) == ["01-31 09:00 cancelled"]


@pytest.mark.parametrize("state", [State.FAILED, State.MISSED])
async def test_three_in_a_row_that_were_not_sent_end_it(app: Quart, alice: Visitor, state: State) -> None:
    await alice.post("/reminders/new", **FORM)

    for n in range(2 * MOST_UNSENT):
        await end(app, State.SENT if n == 1 else state)

    assert [row.state for row in await stored(app)] == [state, State.SENT, *[state] * MOST_UNSENT]
    assert [row.reason for row in await series(app)] == [GIVEN_UP]
    await alice.get("/reminders/")
    assert "ended" in alice.marks.states
    assert GIVEN_UP in words(alice)


async def test_to_somebody_else_it_waits_for_their_consent_and_asks_once(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM, to="bob@example.org")
    async with app.extensions["database"].session() as db:
        await db.execute(update(Consent).values(mail_due_at=None, asked_at=datetime.now(UTC) - 2 * DAY))
        await db.commit()
        consent = (await db.scalars(select(Consent))).one()

    await end(app, State.MISSED)

    assert (await stored(app))[-1].state == State.WAITING
    async with app.extensions["database"].session() as db:
        assert await db.scalar(select(Consent.mail_due_at)) is None
        await db.execute(update(Consent).values(answer=Answer.AGREED))
        await db.commit()
    await end(app, State.MISSED)
    assert (await stored(app))[-1].state == State.SCHEDULED
    assert consent.email == "bob@example.org"


@pytest.mark.both_databases("an answer and a worker lock in one order")
async def test_a_no_ends_it(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await alice.post("/reminders/new", **FORM, to="charlie@example.org")
    await charlie.get("/consents/")
    link = charlie.text.partition('href="http://127.0.0.1:8000/consents/')[2].partition('"')[0]
    await charlie.post(f"/consents/{link}", answer="agree")
    await charlie.post(f"/consents/{link}", answer="decline")

    await end(app, State.DECLINED)

    assert await dates(app) == ["01-31 09:00 declined"]
    assert [row.reason for row in await series(app)] == [NO_CONSENT]


async def test_an_account_has_a_number_of_them(app: Quart, alice: Visitor) -> None:
    many = [
        Series(account_id=1, email="a@example.org", text="x", repeat="daily", zone="UTC", start=START, slot=START)
        for _ in range(limits.MOST_REPEATING - 1)
    ]
    await add(app, *many)

    assert (await alice.post("/reminders/new", **FORM)).status_code == 303
    response = await alice.post("/reminders/new", **FORM)
    assert (response.status_code, alice.marks.errors) == (400, ["too-many-repeat"])
    await alice.post("/reminders/new", **(FORM | {"repeat": "never"}))
    await alice.post("/reminders/2/edit", **FORM)
    assert alice.marks.errors == ["too-many-repeat"]
    await alice.post("/reminders/1/stop", page="/reminders/1")
    assert (await alice.post("/reminders/new", **FORM)).status_code == 303


async def test_a_saturday_is_no_weekday(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Work", when="2030-02-02T09:00", repeat="weekdays")
    assert (alice.marks.errors, await stored(app)) == (["no-weekday"], [])


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_what_is_erased_and_deleted(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    await end(app)
    long_ago = datetime.now(UTC) - 1000 * DAY
    async with app.extensions["database"].session() as db:
        sent = Reminder.state == State.SENT
        await db.execute(update(Reminder).where(sent).values(date=long_ago, sent_at=long_ago))
        await db.commit()
    async with app.app_context():
        await retention.erase_old()
    assert [row.text for row in await stored(app)] == ["", "Rent"]
    assert [row.text for row in await series(app)] == ["Rent"], "it goes on"

    await alice.post("/account/export", page="/account/data")
    assert '"monthly"' in alice.text
    async with app.extensions["database"].session() as db:
        await db.execute(update(Series).values(stopped_at=long_ago))
        await db.commit()
    async with app.app_context():
        await retention.erase_old()
    assert [row.text for row in await series(app)] == [""]
    await alice.post("/account/delete", page="/account/data", email="alice@example.org")
    assert (await series(app), await stored(app)) == ([], [])


async def test_a_series_of_a_deleted_account_writes_nothing(app: Quart, alice: Visitor) -> None:
    """Its account was deleted by a process that knows of no series: the database deletes it with the account."""
    await alice.post("/reminders/new", **FORM)
    database: Database = app.extensions["database"]
    async with database.session() as db:
        await db.delete(await db.get_one(Account, 1))
        await db.commit()
    async with app.app_context():
        await advance_all()
    assert (await series(app), await stored(app)) == ([], [])

"""Cancelling one reminder of a series after the other: it is counted, and what is cancelled is not kept for years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import update

from app.privacy import retention
from app.reminders.consents import answers
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import Reminder, State
from tests.app.filling import fill
from tests.app.rows import change, stored
from tests.app.visitor import Visitor

FORM = {"text": "Rent", "when": "2030-01-31T09:00", "repeat": "monthly"}
LONG = timedelta(days=100)


async def erase(app: Quart) -> None:
    async with app.app_context():
        await retention.erase_old()


async def test_each_one_counts_as_a_new_reminder(app: Quart, alice: Visitor, redis: Redis) -> None:
    await alice.post("/reminders/new", **FORM)
    await alice.post("/reminders/new", **(FORM | {"repeat": "never"}))
    await fill(app, redis, "reminder", "account", 0, 1)

    await alice.post("/reminders/1/cancel", page="/reminders/1")
    await alice.get("/reminders/1")
    assert alice.marks.notices == ["too-often"]
    await alice.post("/reminders/2/cancel", page="/reminders/2")
    assert [row.state for row in await stored(app)] == [State.SCHEDULED, State.CANCELLED], "which writes nothing new"
    await alice.post("/reminders/1/stop", page="/reminders/1")
    assert [row.state for row in await stored(app)] == [State.CANCELLED] * 2


@pytest.mark.both_databases("it deletes by another table")
async def test_what_was_cancelled_is_erased_a_time_after_that(app: Quart, alice: Visitor) -> None:
    for pk in (1, 2):
        await alice.post("/reminders/new", **(FORM | {"repeat": "monthly" if pk == 1 else "never"}))
    for pk in (1, 2, 3):
        await alice.post(f"/reminders/{pk}/cancel", page=f"/reminders/{pk}")
    await erase(app)
    assert [row.text for row in await stored(app)] == ["Rent"] * 4

    async with app.extensions["database"].transaction() as db:
        for row in (await stored(app))[:2]:
            assert row.ended_at is not None
            await db.execute(update(Reminder).where(Reminder.id == row.id).values(ended_at=row.ended_at - LONG))
    await erase(app)

    left = [(row.id, row.state, row.text) for row in await stored(app)]
    assert left == [(2, "cancelled", ""), (3, "cancelled", "Rent"), (4, "scheduled", "Rent")]


async def test_what_was_declined_is_erased_a_time_after_that(app: Quart, alice: Visitor) -> None:
    async with app.extensions["database"].transaction() as db:
        consent = Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED)
        date = datetime.now(UTC) + LONG
        db.add_all([consent, Reminder(date=date, email="bob@example.org", text="Hi", account_id=1)])
        await db.flush()
        await answers.decline(db, consent)
    await erase(app)
    [row] = await stored(app)
    assert row.text == "Hi"
    assert row.ended_at is not None

    await change(app, ended_at=row.ended_at - LONG)
    await erase(app)

    assert [row.text for row in await stored(app)] == [""]

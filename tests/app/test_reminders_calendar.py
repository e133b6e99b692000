"""The calendar of reminders: read by another parser, at a secret address that can be renewed."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart
from sqlalchemy import update

from app.database import Database
from app.reminders.advancing import advance
from app.reminders.calendar import writing
from app.reminders.calendar.events import MOST_EVENTS, MOST_OF_SERIES, Event
from app.reminders.calendar.pages import AN_HOUR
from app.reminders.models import Reminder, State
from app.reminders.series import Series
from app.web.rate_limits import RateLimits
from settings import Settings
from tests.app.rows import change, everything_stored, stored
from tests.app.visitor import Visitor

WHEN = datetime(2030, 1, 31, 8, tzinfo=UTC)
FORM = {"text": "Rent", "when": "2030-01-31T09:00"}


async def address_of(somebody: Visitor) -> str:
    """The path of their calendar, made anew."""
    await somebody.post("/reminders/calendar")
    await somebody.get("/reminders/calendar")
    found = re.search(r'value="http://127.0.0.1:8000(/reminders/calendar/[^"]+\.ics)"', somebody.text)
    assert found is not None
    return found[1]


async def events(visitor: Visitor, path: str) -> list[Any]:
    assert (await visitor.get(path)).status_code == 200
    return list(icalendar.Calendar.from_ical(visitor.text).walk("VEVENT"))


@pytest.mark.both_databases("it reads reminders and series")
async def test_a_calendar_program_reads_the_upcoming_ones(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await alice.post("/reminders/new", **(FORM | {"text": "给植物浇水; a, b\\n\n<b>x</b> BEGIN:VEVENT"}))
    await alice.post("/reminders/new", **FORM, to="bob@example.org")
    await charlie.post("/reminders/new", **(FORM | {"text": "Charlie's"}))
    await alice.post("/reminders/new", **(FORM | {"text": "cancelled"}))
    await alice.post("/reminders/4/cancel", page="/reminders/4")
    path, stranger = await address_of(alice), Visitor(app)

    first, second = await events(stranger, path)

    assert str(first["SUMMARY"]) == "给植物浇水; a, b\\n"
    assert str(first["DESCRIPTION"]) == "给植物浇水; a, b\\n\n<b>x</b> BEGIN:VEVENT"
    assert str(second["SUMMARY"]) == "Rent (to bob@example.org)"
    assert first["DTSTART"].dt == second["DTSTART"].dt == WHEN
    assert str(first["URL"]) == "http://127.0.0.1:8000/reminders/1"
    assert {"UID", "DTSTAMP", "SEQUENCE"} <= set(first)


async def test_a_series_has_the_times_at_which_it_will_be_mailed(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    await alice.post("/reminders/new", text="Pills", **{"in": "1h"}, repeat="daily")
    async with app.extensions["database"].session() as db:
        await db.execute(update(Series).values(created_at=WHEN))  # not when its reminders are written
        await db.commit()
    path = await address_of(alice)
    before = {str(event["UID"]): event["DTSTART"].dt for event in await events(visitor, path)}
    assert len(before) == MOST_OF_SERIES + 1

    for n in range(3):
        await change(app, state=State.SENT)
        async with app.app_context():
            await advance(1, (await stored(app))[-1].date + timedelta(minutes=1))
        after = {str(event["UID"]): event["DTSTART"].dt for event in await events(visitor, path)}
        assert len(after) == MOST_OF_SERIES + 1
        shared = before.keys() & after.keys()
        assert len(shared) == MOST_OF_SERIES - n, "a time keeps its name when it becomes a reminder"
        assert {uid: before[uid] for uid in shared} == {uid: after[uid] for uid in shared}
    await alice.post(f"/reminders/{len(await stored(app))}/stop", page="/reminders/")
    assert await events(visitor, path) == []


async def test_another_address_ends_the_first(app: Quart, alice: Visitor, charlie: Visitor, visitor: Visitor) -> None:
    first = await address_of(alice)
    second = await address_of(alice)
    other = await address_of(charlie)

    assert len({first, second, other}) == 3
    assert "/2/" in other
    token = second.rpartition("/")[2]
    for path in (
        first,
        other.replace("/2/", "/1/"),
        f"/reminders/calendar/2/{token}",
        f"/reminders/calendar/9/{token}",
    ):
        assert (await visitor.get(path)).status_code == 404
    assert (await visitor.get(second)).status_code == 200
    await alice.post("/reminders/calendar/end", page="/reminders/calendar")
    assert (await visitor.get(second)).status_code == 404
    assert (await visitor.get("/reminders/calendar/1/.ics")).status_code == 404
    third = await address_of(alice)
    await alice.post("/account/export", page="/account/data")
    assert third.rpartition("/")[2].removesuffix(".ics") not in alice.text
    await alice.post("/account/delete", page="/account/data", email="alice@example.org")
    assert (await visitor.get(third)).status_code == 404
    rows = str(await everything_stored(app))
    assert not [path for path in (first, second, third, other) if path.rpartition("/")[2].removesuffix(".ics") in rows]


async def test_it_sets_no_cookie_and_answers_304_to_a_program_that_has_it(alice: Visitor, visitor: Visitor) -> None:
    await alice.post("/reminders/new", **FORM)
    path = await address_of(alice)

    answer = await visitor.get(path)
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=600"
    assert "Set-Cookie" not in answer.headers
    again = await visitor.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, visitor.text) == (304, "")
    assert (await alice.get(path)).headers["Cache-Control"] == "no-store", "within a session nothing is stored"


async def test_every_change_of_it_is_read_by_a_program_that_has_the_one_before(
    app: Quart, alice: Visitor, visitor: Visitor
) -> None:
    path, tags = await address_of(alice), set[str]()

    async def is_new() -> bool:
        last = (await visitor.get(path)).headers["ETag"]
        new = last not in tags
        tags.add(last)
        assert (await visitor.get(path, headers={"If-None-Match": last})).status_code == 304
        return new

    steps = [("new", FORM), ("new", FORM), ("1/edit", FORM | {"text": "More"}), ("2/edit", FORM | {"in": "1h"}),
             ("2/cancel", {}), ("new", FORM | {"repeat": "daily"}), ("3/cancel", {}), ("1/cancel", {})]  # fmt: skip
    assert await is_new()
    for step, form in steps:
        await alice.post(f"/reminders/{step}", page=f"/reminders/{step.split('/')[0]}", **form)
        assert await is_new(), step
    assert not await is_new()


async def test_a_large_one_blocks_nobody(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    """The loop goes on while it is written, and a program that has it costs a fraction."""
    async with app.extensions["database"].session() as db:
        text = "ä,;\\\n" * 2_000
        db.add_all(Reminder(date=WHEN, email="alice@example.org", text=text) for _ in range(MOST_EVENTS))
        await db.commit()
    path = await address_of(alice)

    blocked, took, answer = await held_up_by(visitor.get(path))
    _, again_took, again = await held_up_by(visitor.get(path, headers={"If-None-Match": answer.headers["ETag"]}))

    assert again.status_code == 304
    assert blocked < took / 3, "most of it is done in a thread"
    assert again_took < took / 3


async def held_up_by(awaitable: Any) -> tuple[float, float, Any]:
    """The longest time for which the loop had no turn meanwhile, and all that it took."""
    task, clock = asyncio.ensure_future(awaitable), time.perf_counter
    began = last = clock()
    longest = 0.0
    while not task.done():
        await asyncio.wait([task], timeout=0.005)
        longest, last = max(longest, clock() - last), clock()
    return longest, last - began, await task


async def test_it_is_read_so_often_an_hour_and_while_redis_is_away(
    app: Quart, alice: Visitor, visitor: Visitor, settings: Settings
) -> None:
    path = await address_of(alice)
    assert [(await visitor.get(path)).status_code for _ in range(AN_HOUR + 1)] == [200] * AN_HOUR + [429]
    await app.extensions["rate_limits"].close()
    app.extensions["rate_limits"] = RateLimits("redis://127.0.0.1:1", settings.secret_key)
    assert (await visitor.get(path)).status_code == 200


async def test_a_calendar_has_a_number_of_events(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add_all(Reminder(date=WHEN, email="alice@example.org", text="x" * 10_000) for _ in range(MOST_EVENTS + 1))
        await db.commit()
        await db.execute(update(Reminder).where(Reminder.id == 1).values(text=""))
        await db.commit()

    await visitor.get(await address_of(alice))

    assert visitor.text.count("BEGIN:VEVENT") == MOST_EVENTS
    assert len(visitor.text) < 3_000_000


@given(st.text(max_size=300))
def test_any_text_is_escaped_and_folded(text: str) -> None:
    content = writing.write(
        [Event("x", WHEN, text, "", WHEN)],
        name=text[:30].encode("utf-8", "replace").decode(),
        home="",
        domain="x.example",
    )

    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    [event] = icalendar.Calendar.from_ical(content.decode()).walk("VEVENT")
    expected = writing.REFUSED.sub("", text.replace("\r\n", "\n")).encode("utf-8", "replace").decode()
    assert str(event["DESCRIPTION"]) == expected

"""The pages: what they save, what they say, what they refuse, and whose reminders they show."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from redis.asyncio import Redis

from app.database import Database
from app.reminders.models import Reminder, State
from jobs.monitor_site.web import moments
from tests.app.rows import change, stored
from tests.app.visitor import Visitor, words

BERLIN = ZoneInfo("Europe/Berlin")


async def test_a_reminder_is_saved_armed_and_confirmed(app: Quart, alice: Visitor, redis: Redis) -> None:
    when = (datetime.now(BERLIN) + timedelta(hours=2, minutes=59, seconds=50)).replace(microsecond=0)

    response = await alice.post("/reminders/new", text="Water the plants", when=f"{when:%Y-%m-%dT%H:%M:%S}")

    [reminder] = await stored(app)
    assert (response.status_code, response.location) == (303, f"/reminders/{reminder.id}")
    assert (reminder.text, reminder.email, reminder.date) == ("Water the plants", "alice@example.org", when)
    assert await redis.zscore("arq:queue", f"reminder:{reminder.id}:0") == when.timestamp() * 1000
    await alice.get(response.location)
    assert f"{moments.spelled(when, BERLIN)}, in 2 hours 59 minutes" in words(alice)
    await alice.get("/reminders/")
    assert "Water the plants" in words(alice)
    assert alice.marks.states == ["scheduled"]


@pytest.mark.parametrize(("button", "after"), [("1m", timedelta(minutes=1)), ("1h", timedelta(hours=1))])
async def test_a_quick_button_needs_no_time(app: Quart, alice: Visitor, button: str, after: timedelta) -> None:
    now = datetime.now(UTC)

    await alice.post("/reminders/new", text="Tea", when="", **{"in": button})

    [reminder] = await stored(app)
    assert timedelta(0) <= reminder.date - now - after < timedelta(seconds=5)


async def test_words_are_shown_as_a_date_before_they_are_saved(app: Quart, alice: Visitor) -> None:
    tomorrow = (datetime.now(BERLIN) + timedelta(days=1)).replace(hour=8, minute=0, second=0, microsecond=0)

    response = await alice.post("/reminders/new", text="Tea <b>", words=" tomorrow 8am ")

    assert (response.status_code, alice.marks.notices, await stored(app)) == (200, ["read"], [])
    assert f"That is {tomorrow:%A, %-d %B %Y}, 08:00 (Europe/Berlin)" in words(alice)
    assert "Tea &lt;b&gt;" in alice.text
    fields = dict(re.findall(r'name="(words|read|when)"[^>]* value="([^"]*)"', alice.text))
    assert fields == {"words": "tomorrow 8am", "read": "tomorrow 8am", "when": f"{tomorrow:%Y-%m-%dT%H:%M}"}
    await alice.post("/reminders/new", text="Tea <b>", **fields)
    [reminder] = await stored(app)
    assert reminder.date == tomorrow


async def test_words_that_repeat_fill_in_the_repetition_too(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Bins", words="every monday 9:00")
    assert alice.marks.notices == ["read"]
    assert re.search(r"Repeats every Monday at 09:00 \(Europe/Berlin\), first on Monday, \d", words(alice))
    assert "<option selected>weekly</option>" in alice.text
    fields = dict(re.findall(r'name="(words|read|when)"[^>]* value="([^"]*)"', alice.text))

    await alice.post("/reminders/new", text="Bins", repeat="weekly", **fields)

    [reminder] = await stored(app)
    assert reminder.series_id is not None
    await alice.post("/reminders/new", text="Bins", words="every 2 weeks")
    assert alice.marks.errors == ["no-such-repeat"]


async def test_words_that_are_unclear_leave_no_date_of_words_before(alice: Visitor) -> None:
    fields = {"words": "gibberish", "when": "2030-01-04T09:00"}
    await alice.post("/reminders/new", text="Tea", read="fri 9:00", **fields)
    assert "2030-01-04" not in alice.text
    await alice.post("/reminders/new", text="Tea", read="", **fields)
    assert "2030-01-04" in alice.text, "chosen by hand"


async def test_words_that_change_after_they_were_shown_are_shown_again(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Tea", words="tomorrow 9am", read="tomorrow 8am", when="2030-01-01T08:00")

    assert (alice.marks.notices, await stored(app)) == (["read"], [])
    for typed, code in (("whenever", "unclear"), ("2020-01-01", "past"), ("2099-01-01", "too-far")):
        response = await alice.post("/reminders/new", text="Tea", words=typed)
        assert (response.status_code, alice.marks.errors) == (400, [code])
    assert await stored(app) == []


async def test_a_preset_fills_in_the_time_saves_nothing_and_keeps_the_rest(app: Quart, alice: Visitor) -> None:
    await alice.get("/reminders/new")
    presets = re.findall(r'name="preset" value="([^"]+)"', alice.text)
    assert len(presets) == 4
    assert alice.text.index("<button hidden>") < alice.text.index('name="preset"'), "Enter sets the reminder"
    for preset in presets:
        for typed in ("Buy <milk>", ""):
            response = await alice.post("/reminders/new", text=typed, to="bob@", repeat="monthly", preset=preset)
            assert (response.status_code, alice.marks.notices, alice.marks.errors) == (200, ["read"], [])
            assert f">\n{escape(typed)}</textarea>" in alice.text
            assert {'value="bob@"', f'name="words" type="text" value="{preset}"'} <= set(
                re.findall(r'value="bob@"|name="words" type="text" value="[^"]*"', alice.text)
            )
            assert "<option selected>monthly</option>" in alice.text
    await alice.get("/reminders/when?words=%3Cb%3E")
    assert json.loads(alice.text)["good"] is False
    assert await stored(app) == []


async def test_one_far_away_is_not_armed_yet(app: Quart, alice: Visitor, redis: Redis) -> None:
    when = datetime.now(BERLIN) + timedelta(days=900)

    await alice.post("/reminders/new", text="Passport", when=when.strftime("%Y-%m-%dT%H:%M"))

    assert len(await stored(app)) == 1
    assert await redis.zcard("arq:queue") == 0


TEXTS = [
    "给植物浇水",
    "اسق النباتات \u200f!",
    "Water 🧺👩‍👩‍👧",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "one\ntwo\n\n  three",
    "' OR 1=1 --",
    "a" * 10_000,
    "水" * 10_000,
    "👩‍👩‍👧" * 1_250,
    "=?utf-8?q?x=0ABcc:_v=40y.com?=",
    "Bcc: victim@example.com",
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
@pytest.mark.both_databases("text is searched for, or stored, by the database's rules")
async def test_any_text_is_kept_and_shown_as_written(app: Quart, alice: Visitor, text: str) -> None:
    response = await alice.post("/reminders/new", text=text, **{"in": "1h"})

    assert response.status_code == 303
    [reminder] = await stored(app)
    assert reminder.text == text
    await alice.get(response.location)
    shown = re.search(r'<p class="reminder-text" dir="auto">(.*?)</p>', alice.text, re.DOTALL)
    assert shown is not None
    assert "<" not in shown[1]
    assert unescape(shown[1]) == text


@pytest.mark.parametrize(
    ("text", "when", "code"),
    [
        ("", "2030-01-01T10:00", "empty"),
        (" \n ", "2030-01-01T10:00", "empty"),
        ("x" * 10_001, "2030-01-01T10:00", "too-long"),
        ("escape\x1b[2J", "2030-01-01T10:00", "control-characters"),
        ("Tea", "", "no-time"),
        ("Tea", "soon", "no-time"),
        ("Tea", "2020-01-01T10:00", "past"),
        ("Tea", "2027-02-29T10:00", "no-such-time"),
        ("Tea", "2099-01-01T10:00", "too-far"),
        ("Tea", "2027-03-28T02:30", "clocks-forward"),
        ("Tea", "<b>bold</b>", "no-time"),
        ("Tea", "2030-01-01T10:00\r\nBcc: x", "no-time"),
    ],
)
async def test_a_mistake_is_named_and_every_word_is_kept(
    app: Quart, alice: Visitor, text: str, when: str, code: str
) -> None:
    response = await alice.post("/reminders/new", text=text, when=when)

    assert response.status_code == 400
    assert alice.marks.errors == [code]
    assert await stored(app) == []
    box = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", alice.text, re.DOTALL)
    assert box is not None
    assert unescape(box[1]) == text
    assert f'value="{when.replace("<", "&lt;").replace(">", "&gt;")}"' in alice.text


async def test_the_doubled_hour_takes_the_first_and_says_so(app: Quart, alice: Visitor) -> None:
    response = await alice.post("/reminders/new", text="Tea", when="2027-10-31T02:30")

    [reminder] = await stored(app)
    assert reminder.date == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    await alice.get(response.location)
    assert alice.marks.notices == ["saved", "clocks-back"]


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_an_edit_moves_it_and_the_old_alarm_is_void(app: Quart, alice: Visitor, redis: Redis) -> None:
    await alice.post("/reminders/new", text="Tea", **{"in": "1h"})

    response = await alice.post("/reminders/1/edit", text="Coffee", **{"in": "1m"})

    assert response.status_code == 303
    [reminder] = await stored(app)
    assert (reminder.text, reminder.revision, reminder.state) == ("Coffee", 1, State.SCHEDULED)
    assert await redis.zrange("arq:queue", 0, -1) == [b"reminder:1:1"]


async def test_the_edit_page_shows_what_is_set(alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Tea", when="2030-01-01T10:30")

    await alice.get("/reminders/1/edit")

    assert 'value="2030-01-01T10:30"' in alice.text
    assert "\nTea</textarea>" in alice.text


async def test_a_cancelled_one_is_not_mailed(app: Quart, alice: Visitor, redis: Redis) -> None:
    await alice.post("/reminders/new", text="Tea", **{"in": "1h"})

    await alice.post("/reminders/1/cancel", page="/reminders/1")

    [reminder] = await stored(app)
    assert reminder.state == State.CANCELLED
    assert await redis.zcard("arq:queue") == 0
    await alice.get("/reminders/")
    assert alice.marks.notices == ["cancelled"]


@pytest.mark.parametrize(
    ("state", "code"), [(State.SENDING, "sending"), (State.SENT, "sent"), (State.CANCELLED, "already-cancelled")]
)
@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_too_late_to_change(app: Quart, alice: Visitor, state: State, code: str) -> None:
    await alice.post("/reminders/new", text="Tea", **{"in": "1h"})
    await alice.get("/reminders/1/edit")
    token = alice.token()
    await change(app, state=state)

    for path in ("/reminders/1/edit", "/reminders/1/cancel"):
        form = {"csrf_token": token, "text": "Coffee", "in": "1m"}
        response = await alice.client.post(path, form=form)
        assert response.status_code == 303
        await alice.get("/reminders/1")
        assert alice.marks.notices[-1] == code
    [reminder] = await stored(app)
    assert (reminder.state, reminder.text) == (state, "Tea")


async def test_somebody_elses_does_not_exist(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await alice.post("/reminders/new", text="Alice's secret", **{"in": "1h"})
    await charlie.get("/reminders/new")
    token = charlie.token()

    await charlie.get("/reminders/")
    assert "secret" not in charlie.text
    for path in ("/reminders/1", "/reminders/1/edit", "/reminders/2", "/reminders/99999999999999999999"):
        assert (await charlie.get(path)).status_code == 404
        assert "secret" not in charlie.text
    for path in ("/reminders/1/edit", "/reminders/1/cancel"):
        response = await charlie.client.post(path, form={"csrf_token": token, "text": "mine", "in": "1m"})
        assert response.status_code == 404
    [reminder] = await stored(app)
    assert (reminder.text, reminder.state, reminder.revision) == ("Alice's secret", State.SCHEDULED, 0)


async def test_whoever_has_not_signed_in_is_sent_to_do_so(visitor: Visitor) -> None:
    for path in ("/reminders/", "/reminders/new", "/reminders/1", "/reminders/1/edit"):
        response = await visitor.get(path)
        assert (response.status_code, response.location) == (303, "/sign-in")


async def test_a_form_without_the_token_does_nothing(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await alice.post("/reminders/new", text="Tea", **{"in": "1h"})
    await charlie.get("/reminders/new")

    for token in ("", "wrong", charlie.token()):
        for path in ("/reminders/new", "/reminders/1/edit", "/reminders/1/cancel"):
            form = {"csrf_token": token, "text": "Coffee", "in": "1m"}
            assert (await alice.client.post(path, form=form)).status_code == 403
    [reminder] = await stored(app)
    assert (reminder.text, reminder.state) == ("Tea", State.SCHEDULED)


async def test_one_made_in_a_shell_for_this_address_is_shown(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        date = datetime.now(UTC) + timedelta(hours=1)
        db.add(Reminder(date=date, email="alice@example.org", text="From a shell"))
        await db.commit()

    await alice.get("/reminders/")
    assert "From a shell" in words(alice)
    await charlie.get("/reminders/")
    assert "From a shell" not in words(charlie)


async def test_what_goes_wrong_is_shown(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Tea", **{"in": "1m"})
    later = datetime.now(UTC) + timedelta(minutes=5)
    await change(app, attempts=2, next_try_at=later, reason="The mail server answered: 451 <later>")

    await alice.get("/reminders/1")

    assert alice.marks.counts == {"refused": 2}
    assert "451 <later>" in words(alice)
    assert "next-try" in alice.marks.states


async def test_many_are_shown_page_by_page(app: Quart, alice: Visitor) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        for minute in range(120):
            date = datetime.now(UTC) + timedelta(minutes=minute + 1)
            db.add(Reminder(date=date, email="alice@example.org", text=f"Number {minute}."))
        await db.commit()

    seen = set[str]()
    for page in range(1, 7):
        await alice.get(f"/reminders/?page={page}")
        seen |= set(re.findall(r"Number \d+\.", alice.text))
    assert len(seen) == 120
    for odd in ("0", "-1", "x", "99999999999999999999999"):
        assert (await alice.get(f"/reminders/?page={odd}")).status_code == 200


async def test_with_redis_away_it_is_saved_and_the_page_says_so(lonely: Visitor) -> None:
    response = await lonely.post("/reminders/new", text="Tea", **{"in": "1h"})

    assert response.status_code == 303
    await lonely.get(response.location)
    assert lonely.marks.notices == ["saved", "queue-away"]
    response = await lonely.post("/reminders/1/cancel", page="/reminders/1")
    assert response.status_code == 303

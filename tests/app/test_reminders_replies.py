"""The links in a reminder: done, later, stop. Twice, late, by others, and after the reminder was changed."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, update

from app.reminders.consents.models import Answer, Consent
from app.reminders.delivery import Tries, deliver
from app.reminders.models import OPEN, Reminder, State
from app.reminders.replies.acts import MOST_SNOOZES, Reply
from app.reminders.series import Series
from settings import Settings
from tests.app.filling import fill
from tests.app.rows import change, everything_stored, stored
from tests.app.visitor import Visitor, words
from tests.smtp_server import SmtpServer, mailing

BERLIN = ZoneInfo("Europe/Berlin")
SNOOZES = ("hour", "tomorrow", "week")
LINK = re.compile(r"http://127.0.0.1:8000(/reminded/[0-9]+/[\w-]+)\?do=(\w+)")


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    return mailing(settings, smtp)


async def sent(app: Quart, somebody: Visitor, smtp: SmtpServer, **form: str) -> str:
    """They have set a reminder, which was sent. The path of the links in it."""
    await somebody.post("/reminders/new", **({"text": "Water the plants", "in": "1h"} | form))
    return await mailed(app, smtp)


async def mailed(app: Quart, smtp: SmtpServer) -> str:
    """The open reminders are due, and mailed."""
    now = datetime.now(UTC) - timedelta(seconds=1)
    async with app.extensions["database"].session() as db:
        open_ = Reminder.state.in_(OPEN)
        await db.execute(update(Reminder).where(open_).values(date=now, next_try_at=now))
        await db.commit()
        due = (await db.scalars(select(Reminder.id).where(open_))).all()
    async with app.test_request_context("/"):
        for pk in due:
            await deliver(pk, Tries(more=0, every=timedelta(0)))
    return next(iter(links_in(smtp).values()))


def links_in(smtp: SmtpServer) -> dict[str, str]:
    """The replies that the last mail offers, the same in both parts, and their paths."""
    text, html = (smtp.accepted[-1].message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    found = {reply: path for path, reply in LINK.findall(text.get_content())}
    assert found == {reply: path for path, reply in LINK.findall(html.get_content())}
    return found


async def test_the_mail_offers_what_can_be_done(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    await sent(app, alice, smtp)
    assert list(links_in(smtp)) == ["done", *SNOOZES]
    await sent(app, alice, smtp, repeat="daily")
    assert list(links_in(smtp)) == [*Reply]


async def test_looking_changes_nothing_and_sets_no_cookie(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    link = await sent(app, alice, smtp, repeat="daily")
    before = await everything_stored(app)

    for reply in Reply:
        answer = await visitor.get(f"{link}?do={reply}")
        assert (answer.status_code, answer.headers.get("Set-Cookie")) == (200, None)
        assert "Water the plants" in words(visitor)
        assert visitor.marks.states == ["open"]
    assert await everything_stored(app) == before


async def test_done_is_shown_to_its_author(app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer) -> None:
    link = await sent(app, alice, smtp)

    for _ in range(2):
        await visitor.post(link, do="done")
        assert visitor.marks.notices == ["done"]

    [reminder] = await stored(app)
    assert reminder.done_at is not None
    for path in ("/reminders/1", "/reminders/sent"):
        await alice.get(path)
        assert "done" in alice.marks.states


@pytest.mark.both_databases("a unique index decides")
@pytest.mark.parametrize("reply", SNOOZES)
async def test_a_snoozed_one_is_sent_once_more(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer, reply: str
) -> None:
    link = await sent(app, alice, smtp)
    now = datetime.now(BERLIN)

    await asyncio.gather(*(app.test_client().post(link, form={"do": reply}) for _ in range(5)))

    [_, again] = await stored(app)
    there = again.date.astimezone(BERLIN)
    if reply == "hour":
        assert timedelta(minutes=59) < there - now < timedelta(minutes=62)
    else:
        assert f"{there:%H:%M}" == "09:00"
        assert there.date() == now.date() + timedelta(days=1 if reply == "tomorrow" else 7)
    assert (again.text, again.email, again.account_id, again.state) == (
        "Water the plants",
        "alice@example.org",
        1,
        "scheduled",
    )
    await visitor.get(link)
    assert f"It is sent again on {there:%A, %-d %B %Y, %H:%M}" in words(visitor)

    assert await mailed(app, smtp) != link
    assert len(smtp.accepted) == 2
    for late in (reply, "hour"):
        assert (await visitor.post(link, do=late)).status_code == 400
        assert visitor.marks.errors == ["sent-again"]
    assert len(await stored(app)) == 2


async def test_a_second_choice_moves_it_and_done_takes_it_back(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    link = await sent(app, alice, smtp)

    await visitor.post(link, do="week")
    await visitor.post(link, do="hour")
    [_, again] = await stored(app)
    assert again.date < datetime.now(UTC) + timedelta(minutes=61)
    assert (again.revision, again.snoozes) == (1, 1)
    await visitor.post(link, do="done")
    assert visitor.marks.states == ["done"]
    assert [row.state for row in await stored(app)] == [State.SENT, State.CANCELLED]
    await visitor.post(link, do="hour")
    assert [row.state for row in await stored(app)] == [State.SENT, State.SCHEDULED]
    assert visitor.marks.states == ["snoozed"]


async def test_a_copy_that_was_cancelled_on_the_site_is_said_to_be(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    link = await sent(app, alice, smtp)
    await visitor.post(link, do="week")
    await alice.post("/reminders/2/cancel", page="/reminders/2")

    await visitor.get(f"{link}?do=week")

    assert (visitor.marks.states, visitor.marks.notices) == (["open"], ["taken-back"])
    await visitor.post(link, do="week")
    assert (visitor.marks.states, visitor.marks.notices) == (["snoozed"], ["snoozed"])


@pytest.mark.both_databases("series and reminders are locked in one order")
async def test_stop_ends_the_series_and_what_was_put_off(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    link = await sent(app, alice, smtp, repeat="daily")
    await visitor.post(link, do="hour")

    await visitor.post(link, do="stop")
    assert visitor.marks.notices == ["stopped"]
    await visitor.post(link, do="stop")
    assert visitor.marks.notices[0] == "already-stopped"
    await visitor.get(f"{link}?do=stop")
    assert visitor.marks.notices[0] == "already-stopped"

    assert [row.state for row in await stored(app)] == [State.SENT, State.CANCELLED]
    async with app.extensions["database"].session() as db:
        assert await db.scalar(select(Series.stopped_at)) is not None


async def test_a_link_ends_with_an_edit_and_with_the_account(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    link = await sent(app, alice, smtp)
    await change(app, state=State.FAILED)  # it may have arrived
    assert (await visitor.post(link, do="done")).status_code == 200
    await alice.post("/reminders/1/edit", text="Other words", **{"in": "1h"})
    others = [link, await mailed(app, smtp), link[:-1], f"{link}x", link.replace("/1/", "/2/")]
    await alice.post("/account/delete", page="/account/data", email="alice@example.org")

    for path in others:
        for reply in Reply:
            assert (await visitor.get(path)).status_code == 404
            assert (await visitor.client.post(path, form={"do": reply})).status_code == 404
    assert await stored(app) == []


async def test_an_unknown_reply_is_refused(app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer) -> None:
    link = await sent(app, alice, smtp)
    before = await everything_stored(app)

    for typed in ("", "DONE", "<script>", "never"):
        assert (await visitor.post(link, do=typed)).status_code == 400
    assert await everything_stored(app) == before


async def consent(app: Quart, answer: Answer) -> None:
    async with app.extensions["database"].session() as db:
        await db.execute(update(Consent).values(answer=answer))
        await db.commit()


async def test_somebody_else_may_reply_to_what_they_got(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    """But not stop the series: they refuse its author, as before. Who has refused puts nothing off."""
    async with app.extensions["database"].session() as db:
        db.add(Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED))
        await db.commit()
    link = await sent(app, alice, smtp, to="bob@example.org", repeat="daily")
    assert list(links_in(smtp)) == ["done", *SNOOZES]

    await visitor.post(link, do="stop")
    async with app.extensions["database"].session() as db:
        assert await db.scalar(select(Series.stopped_at)) is None
    await visitor.post(link, do="tomorrow")
    assert [row.email for row in await stored(app)] == ["bob@example.org"] * 2
    link = await mailed(app, smtp)
    await consent(app, Answer.DECLINED)
    assert (await visitor.post(link, do="hour")).status_code == 400
    assert visitor.marks.errors == ["no-consent"]
    assert len(await stored(app)) == 2


async def test_putting_off_counts_against_the_author_and_has_an_end(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer, redis: Redis
) -> None:
    link = await sent(app, alice, smtp)
    await change(app, snoozes=MOST_SNOOZES)
    assert (await visitor.post(link, do="hour")).status_code == 400
    assert visitor.marks.errors == ["too-many-snoozes"]
    await change(app, snoozes=MOST_SNOOZES - 1)

    await fill(app, redis, "reminder", "account", 0, 1)
    assert (await visitor.post(link, do="hour")).status_code == 429
    assert len(await stored(app)) == 1
    await redis.flushall()
    assert (await visitor.post(link, do="hour")).status_code == 200
    await fill(app, redis, "reminder", "account", 0, 1)
    assert (await visitor.post(link, do="week")).status_code == 200, "to move it is free"
    assert [row.snoozes for row in await stored(app)] == [MOST_SNOOZES - 1, MOST_SNOOZES]


async def test_one_made_in_a_shell_is_answered_too(app: Quart, visitor: Visitor, smtp: SmtpServer) -> None:
    async with app.extensions["database"].session() as db:
        db.add(Reminder(date=datetime.now(UTC), email="dora@example.org", text="<b>Hi</b>"))
        await db.commit()
    link = await mailed(app, smtp)

    await visitor.post(link, do="tomorrow")

    assert visitor.marks.states == ["snoozed"]
    assert "&lt;b&gt;Hi&lt;/b&gt;" in visitor.text
    assert [row.account_id for row in await stored(app)] == [None, None]


async def test_an_erased_text_is_not_sent_again(app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer) -> None:
    link = await sent(app, alice, smtp)
    await change(app, text="")

    assert (await visitor.post(link, do="hour")).status_code == 400
    assert visitor.marks.errors == ["erased"]

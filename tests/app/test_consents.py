"""Reminders to other people: asked once, mailed only after a yes, never after a no."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from app.accounts import Account
from app.database import Database
from app.reminders import arming, limits, missed
from app.reminders import mails as missed_mails
from app.reminders.consents import answers, links, mails, requests
from app.reminders.consents.models import Answer, Consent
from app.reminders.delivery import ENOUGH_TODAY, Tries, deliver
from app.reminders.models import MISSED, NO_CONSENT, Reminder, State
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber
from app.web.rate_limits import RateLimits
from settings import Settings
from tests.app.harm import POISON
from tests.app.rows import change, stored
from tests.app.visitor import Visitor, words
from tests.smtp_server import DROP, DROP_AFTER_DOT, SmtpServer, mailing

TRIES = Tries(more=5, every=timedelta(seconds=300))
LINK = re.compile(r"http://127.0.0.1:8000(/(?:consents|no-more)/[0-9]+/[\w-]+)")


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    return mailing(settings, smtp)


async def consents(app: Quart) -> list[Consent]:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        return list(await db.scalars(select(Consent).order_by(Consent.id)))


async def change_consents(app: Quart, **values: Any) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        await db.execute(update(Consent).values(**values))
        await db.commit()


async def remind_bob(somebody: Visitor, text: str = "Water my plants", **form: str) -> Any:
    return await somebody.post("/reminders/new", text=text, to="Bob@example.org", **({"in": "1h"} | form))


async def mail_requests(app: Quart) -> None:
    """What a worker does with the requests that are due."""
    async with app.app_context():
        for consent in await requests.due():
            await requests.send(consent.id)


async def mail_reminders(app: Quart) -> None:
    """What workers do with every reminder, whenever it was due."""
    now = datetime.now(UTC)
    await change(app, date=now - timedelta(seconds=1), next_try_at=now - timedelta(seconds=1))
    async with app.test_request_context("/"):
        for reminder in await stored(app):
            await deliver(reminder.id, TRIES)


def link_in(smtp: SmtpServer) -> str:
    """The path of the link in the last mail."""
    body = smtp.accepted[-1].message.get_body(("plain",))
    assert body is not None
    found = LINK.search(body.get_content())
    assert found is not None
    return found[1]


async def agreed(app: Quart, alice: Visitor, bob: Visitor, smtp: SmtpServer) -> str:
    """Alice has set a reminder for Bob, and he has agreed. The link he did it with."""
    await remind_bob(alice)
    await mail_requests(app)
    link = link_in(smtp)
    await bob.post(link, answer="agree")
    return link


async def test_somebody_else_is_asked_and_gets_nothing_before_the_answer(
    app: Quart, alice: Visitor, smtp: SmtpServer, redis: Redis
) -> None:
    response = await remind_bob(alice)

    await alice.get(response.location)
    assert alice.marks.notices == ["asked-first"]
    assert "waiting" in alice.marks.states
    assert await redis.zrange("arq:queue:mail", 0, -1) == [b"consent:1"]
    await mail_reminders(app)
    assert smtp.accepted == []
    await change(app, date=datetime.now(UTC) + timedelta(hours=1))
    await mail_requests(app)
    [mail] = smtp.accepted
    assert mail.recipients == ["bob@example.org"]
    assert b"alice@example.org" in mail.raw
    assert b"plants" not in mail.raw
    [reminder] = await stored(app)
    assert (reminder.state, reminder.email) == (State.WAITING, "bob@example.org")


async def test_after_a_yes_it_is_mailed_with_a_link_that_ends_it(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    await agreed(app, alice, visitor, smtp)
    assert "agreed" in visitor.marks.states

    await mail_reminders(app)

    [_, mail] = smtp.accepted
    text, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert mail.message["Subject"] == "A reminder for you: Water my plants"
    assert text.get_content().startswith("Water my plants\n")
    assert "alice@example.org" in text.get_content()
    stop = f"http://127.0.0.1:8000{link_in(smtp)}"
    assert stop in html.get_content()
    assert mail.message["List-Unsubscribe"] == f"<{stop}>"
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_opening_a_link_changes_nothing(app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer) -> None:
    await remind_bob(alice)
    await mail_requests(app)
    answer = link_in(smtp)
    [consent] = await consents(app)
    stop = urlsplit(links.stop_url(consent, app.extensions["settings"])).path

    for link in (answer, stop) * 3:
        assert (await visitor.get(link)).status_code == 200
        assert "alice@example.org" in visitor.text
    assert [row.answer for row in await consents(app)] == [Answer.NONE]
    assert (await visitor.client.post(answer, form={"answer": "agree"})).status_code == 403
    assert [row.answer for row in await consents(app)] == [Answer.NONE]


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_a_no_is_final_for_every_reminder_of_this_person(
    app: Quart, alice: Visitor, charlie: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    await remind_bob(alice)
    await remind_bob(alice, "Feed my cat")
    await remind_bob(charlie, "Call me")
    await mail_requests(app)

    await visitor.post(link_in(smtp), answer="decline")

    assert [(row.text, row.state, row.reason) for row in await stored(app)] == [
        ("Water my plants", State.DECLINED, NO_CONSENT),
        ("Feed my cat", State.DECLINED, NO_CONSENT),
        ("Call me", State.WAITING, ""),
    ]
    response = await remind_bob(alice, "Once more")
    assert response.status_code == 400
    assert alice.marks.errors == ["no-consent"]
    assert "\nOnce more</textarea>" in alice.text
    await change_consents(app, asked_at=datetime.now(UTC) - timedelta(days=3))
    await remind_bob(alice)
    assert [row.mail_due_at for row in await consents(app) if row.answer == Answer.DECLINED] == [None]


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_no_more_from_this_person_stops_what_was_agreed(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    await agreed(app, alice, visitor, smtp)
    await mail_reminders(app)
    await remind_bob(alice, "Feed my cat")

    response = await visitor.post(link_in(smtp))

    assert response.status_code == 200
    assert visitor.marks.states == ["declined"]
    await mail_reminders(app)
    assert len(smtp.accepted) == 2
    assert [row.state for row in await stored(app)] == [State.SENT, State.DECLINED]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_mail_program_ends_it_with_one_post(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer, kind: str
) -> None:
    """RFC 8058: no cookie, no token of a form, no redirect; as often as it likes."""
    await agreed(app, alice, visitor, smtp)
    await mail_reminders(app)
    link = link_in(smtp)
    body: dict[str, Any] = {"form": {"List-Unsubscribe": "One-Click"}}
    if kind == "multipart/form-data":
        part = '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
        body = {"data": part, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}

    for _ in range(100):
        response = await app.test_client().post(link, **body)
        assert response.status_code == 200
    assert [row.answer for row in await consents(app)] == [Answer.DECLINED]


async def test_a_link_opens_nothing_but_its_own(
    app: Quart, alice: Visitor, charlie: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    await agreed(app, alice, visitor, smtp)
    await remind_bob(charlie)
    first, second = await consents(app)
    settings: Settings = app.extensions["settings"]
    answer, stop = (urlsplit(make(first, settings)).path for make in (links.answer_url, links.stop_url))
    other = urlsplit(links.stop_url(second, settings)).path

    for path in (answer.replace("consents", "no-more"), stop.replace("no-more", "consents"),
                 stop[:-1], f"{stop}x", f"/no-more/99/{stop.rpartition('/')[2]}",
                 f"/no-more/1/{other.rpartition('/')[2]}", "/no-more/1/%C3%A9"):  # fmt: skip
        assert (await visitor.get(path)).status_code == 404
        assert "alice" not in visitor.text
        form = {"csrf_token": visitor.token(), "answer": "decline"}
        assert (await visitor.client.post(path, form=form)).status_code in (403, 404)
    assert [row.answer for row in await consents(app)] == [Answer.AGREED, Answer.NONE]


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_a_yes_that_comes_too_late_sends_nothing_late(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    await remind_bob(alice)
    await remind_bob(alice, "Feed my cat")
    await mail_requests(app)
    database: Database = app.extensions["database"]
    async with database.session() as db:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await db.execute(update(Reminder).where(Reminder.id == 1).values(date=past, next_try_at=past))
        await db.commit()

    await visitor.post(link_in(smtp), answer="agree")

    assert [row.state for row in await stored(app)] == [State.MISSED, State.SCHEDULED]
    await alice.get("/reminders/1")
    assert "missed" in alice.marks.states
    await mail_reminders(app)
    assert [mail.recipients for mail in smtp.accepted] == [["bob@example.org"]] * 2
    await alice.post("/reminders/1/edit", text="Water my plants", **{"in": "1h"})
    assert (await stored(app))[0].state == State.SCHEDULED


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_one_that_nobody_answers_is_missed(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    await remind_bob(alice)
    await mail_requests(app)
    await change(app, date=datetime.now(UTC))

    async with app.app_context():
        await arming.sweep()

    [reminder] = await stored(app)
    assert (reminder.state, reminder.reason) == (State.MISSED, MISSED)
    await alice.post("/reminders/1/edit", text="Water my plants", **{"in": "1h"})
    [reminder] = await stored(app)
    assert reminder.state == State.WAITING


async def mail_authors(app: Quart) -> None:
    """What workers do with the reminders that were missed."""
    async with app.app_context():
        for reminder in await missed.due():
            await missed.mail_author(reminder.id)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_its_author_is_told_once_each_time(app: Quart, alice: Visitor, smtp: SmtpServer, redis: Redis) -> None:
    await remind_bob(alice, "给植物浇水 <b>🧺</b>")
    await change(app, date=datetime.now(UTC), next_try_at=datetime.now(UTC))
    async with app.app_context():
        await arming.sweep()
        await arming.sweep()
    assert b"missed:1:0" in await redis.zrange("arq:queue:mail", 0, -1)

    await mail_authors(app)
    async with app.app_context():
        await asyncio.gather(missed.mail_author(1), missed.mail_author(1), missed.mail_author(99))

    [mail] = smtp.accepted
    assert mail.recipients == ["alice@example.org"]
    assert mail.message["Subject"] == "Your reminder was not sent: 给植物浇水 <b>🧺</b>"
    plain, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "bob@example.org" in plain.get_content()
    assert "给植物浇水 <b>🧺</b>" in plain.get_content()
    assert "http://127.0.0.1:8000/reminders/1" in plain.get_content()
    assert "给植物浇水 &lt;b&gt;🧺&lt;/b&gt;</p>" in html.get_content()

    await alice.post("/reminders/1/edit", text="Water my plants", **{"in": "1h"})
    await mail_authors(app)
    assert len(smtp.accepted) == 1
    await change(app, date=datetime.now(UTC), next_try_at=datetime.now(UTC))
    async with app.app_context():
        await arming.sweep()
    await mail_authors(app)
    _, again = smtp.accepted
    assert again.message_id != mail.message_id


@pytest.mark.parametrize(
    ("stage", "does", "again"),
    [("banner", DROP, True), ("rcpt", "451 later", True), ("dot", "451 later", True), ("rcpt", "550 no", False),
     ("dot", DROP_AFTER_DOT, False)],
)  # fmt: skip
async def test_its_author_is_told_again_only_if_the_mail_did_not_go_out(
    app: Quart, alice: Visitor, smtp: SmtpServer, stage: str, does: str, again: bool
) -> None:
    await remind_bob(alice)
    past = datetime.now(UTC)
    await change(app, state=State.MISSED, date=past, next_try_at=past)
    smtp.script[stage] = does
    await mail_authors(app)
    smtp.script.clear()
    before = len(smtp.accepted)
    await mail_authors(app)
    assert len(smtp.accepted) == before, "not before its next try"
    assert await app.extensions["mailer"].check() is None

    await change(app, next_try_at=past)
    await mail_authors(app)

    assert len(smtp.accepted) - before == again
    assert {mail.recipients[0] for mail in smtp.accepted} <= {"alice@example.org"}


@pytest.mark.both_databases("a claim in SQL decides")
async def test_many_that_were_missed_are_one_mail_an_hour_to_their_author(
    app: Quart, alice: Visitor, charlie: Visitor, smtp: SmtpServer
) -> None:
    await remind_bob(alice)
    await remind_bob(charlie)
    past = datetime.now(UTC)
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add_all(
            Reminder(date=past, email="bob@example.org", text="<b>" + "字" * 999, account_id=1) for _ in range(600)
        )
        await db.commit()
    await change(app, state=State.MISSED, date=past, next_try_at=past)
    async with database.session() as db:  # the one that came first is told of last
        await db.execute(update(Reminder).where(Reminder.id == 1).values(date=past + timedelta(seconds=1)))
        await db.commit()

    async def move_mails(earlier: timedelta) -> None:
        async with database.session() as db:
            for reminder in await db.scalars(select(Reminder).where(Reminder.told_at.is_not(None))):
                reminder.told_at = (reminder.told_at or past) - earlier
            await db.commit()

    async with app.app_context():
        await asyncio.gather(*(missed.mail_author(pk) for pk in (1, 7, 1)))
        await missed.mail_author(1)  # it began when the first had ended
    await mail_authors(app)

    mail, other = smtp.accepted
    assert (mail.recipients, other.recipients) == (["alice@example.org"], ["charlie@example.org"])
    assert mail.message["Subject"] == "500 reminders were not sent"
    plain, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().count("Choose another time:") == missed_mails.MOST_SHOWN
    assert plain.get_content().count("字") == missed_mails.MOST_SHOWN * (300 - len("<b>..."))
    assert "&lt;b&gt;字" in html.get_content()
    assert "And 480 more: http://127.0.0.1:8000/reminders/\r\n" in plain.get_content()

    await move_mails(timedelta(minutes=59))
    await mail_authors(app)
    assert len(smtp.accepted) == 2
    await move_mails(timedelta(minutes=2))
    await mail_authors(app)
    rest = smtp.accepted[2].message
    assert rest["Subject"] == "101 reminders were not sent"
    await mail_authors(app)
    assert len(smtp.accepted) == 3


async def test_a_thousand_reminders_are_one_mail_a_day_to_each_address(
    app: Quart, alice: Visitor, charlie: Visitor, smtp: SmtpServer
) -> None:
    """M10: the form is no open relay, whoever asks and however often."""
    await remind_bob(alice)
    await remind_bob(charlie)
    database: Database = app.extensions["database"]
    async with database.session() as db:
        for number in range(1_000):
            later = datetime.now(UTC) + timedelta(hours=1)
            db.add(Reminder(date=later, email="bob@example.org", text=f"{number}", account_id=number % 2 + 1))
        await db.commit()
    await mail_requests(app)
    await mail_requests(app)
    async with app.test_request_context("/"):
        await change(app, next_try_at=datetime.now(UTC))
        for reminder in await stored(app):
            await deliver(reminder.id, TRIES)
    assert len(smtp.accepted) == 1

    await change_consents(app, mail_due_at=datetime.now(UTC))
    await change(app, state=State.WAITING)
    await mail_requests(app)
    assert len(smtp.accepted) == 1

    yesterday = datetime.now(UTC) - timedelta(days=1, seconds=1)
    await change_consents(app, mail_due_at=None, asked_at=yesterday)
    for somebody in (alice, charlie, alice, charlie):
        await remind_bob(somebody)
    await asyncio.gather(*(mail_requests(app) for _ in range(5)))
    assert len(smtp.accepted) == 2


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_a_consent_sets_no_hundred_mails_going_at_once(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    """The 21st waits until the first is a day old; one to oneself, or of a shell, waits for nobody."""
    now = datetime.now(UTC)
    database: Database = app.extensions["database"]
    other: dict[str, Any] = {"date": now, "email": "bob@example.org", "account_id": 1, "text": "Hi"}
    sent = {"state": State.SENT, "sent_at": now - timedelta(hours=20)}
    own, shell = {"email": "alice@example.org"}, {"account_id": None}
    async with database.session() as db:
        db.add(Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED))
        db.add_all(Reminder(**(other | sent)) for _ in range(limits.MOST_TO_OTHERS))
        await db.flush()
        db.add_all(Reminder(**(other | changed)) for changed in ({}, own, shell))
        await db.commit()

    async with app.test_request_context("/"):
        waits = [await deliver(limits.MOST_TO_OTHERS + n, TRIES) for n in (1, 2, 3)]

    assert waits[1:] == [None, None]
    assert waits[0] is not None
    assert timedelta(hours=3.9) < waits[0] < timedelta(hours=4)
    assert [mail.recipients for mail in smtp.accepted] == [["alice@example.org"], ["bob@example.org"]]
    await alice.get(f"/reminders/{limits.MOST_TO_OTHERS + 1}")
    assert ENOUGH_TODAY in words(alice)


@pytest.mark.both_databases("others wait for a transaction that counts")
async def test_neither_do_many_that_are_due_at_one_moment(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    database: Database = app.extensions["database"]
    due: dict[str, Any] = {"date": datetime.now(UTC), "email": "bob@example.org", "account_id": 1, "text": "Hi"}
    count = limits.MOST_TO_OTHERS + 12
    async with database.session() as db:
        db.add(Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED))
        db.add_all(Reminder(**due) for _ in range(count))
        await db.commit()

    async with app.test_request_context("/"):
        waits = await asyncio.gather(*(deliver(1 + n, TRIES) for n in range(count)))

    assert len(smtp.accepted) == limits.MOST_TO_OTHERS
    assert sum(wait is not None for wait in waits) == 12


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_a_request_that_nobody_needs_any_more_is_not_mailed(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    await remind_bob(alice)
    await alice.post("/reminders/1/cancel", page="/reminders/1")

    await mail_requests(app)

    assert smtp.accepted == []
    [consent] = await consents(app)
    assert (consent.mail_due_at, consent.asked_at) == (None, None)


@pytest.mark.parametrize(
    ("stage", "does", "again", "counts"),
    [("banner", DROP, True, False), ("rcpt", "450 later", True, False), ("rcpt", "550 no", False, False),
     ("dot", "452 full", True, False), ("dot", "554 no", False, True), ("dot", DROP_AFTER_DOT, False, True)],
)  # fmt: skip
@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_request_that_fails_is_mailed_again_only_if_it_did_not_go_out(
    app: Quart, alice: Visitor, smtp: SmtpServer, stage: str, does: str, again: bool, counts: bool
) -> None:
    await remind_bob(alice)
    smtp.script[stage] = does

    await mail_requests(app)

    [consent] = await consents(app)
    assert (consent.mail_due_at is not None, consent.asked_at is not None) == (again, counts)
    await alice.get("/reminders/1")
    assert (does in words(alice)) == (does[0] in "45")


@pytest.mark.both_databases("the database counts the rows that a statement touched")
async def test_one_account_cannot_ask_everybody(app: Quart, alice: Visitor) -> None:
    for number in range(10):
        response = await alice.post("/reminders/new", text="Hi", to=f"p{number}@example.org", **{"in": "1h"})
        assert response.status_code == 303

    response = await alice.post("/reminders/new", text="Hi", to="p10@example.org", **{"in": "1h"})

    assert response.status_code == 429
    assert alice.marks.errors == ["asked-enough"]
    assert len(await consents(app)) == 10
    response = await alice.post("/reminders/new", text="Again", to="p1@example.org", **{"in": "1h"})
    assert response.status_code == 303


async def test_subscribing_to_the_digest_is_no_consent(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add(Subscriber(email="bob@example.org", state=SubscriberState.CONFIRMED))
        await db.commit()

    await remind_bob(alice)
    await mail_reminders(app)

    assert smtp.accepted == []


@pytest.mark.parametrize("typed", [*POISON, "a@example.org, b@example.org", "<a@x.org>,b@x.org", '"x\r\n"@y.org',
                                   "bob@example.org\r\nBcc: v@example.org", "阿丽@example.org"], ids=ascii)  # fmt: skip
async def test_a_poisoned_address_is_refused_at_the_form(app: Quart, alice: Visitor, typed: str) -> None:
    response = await alice.post("/reminders/new", text="Hi", to=typed.encode(errors="replace").decode(), **{"in": "1h"})

    assert response.status_code == 400
    assert await stored(app) == []
    assert await consents(app) == []


async def test_the_own_address_needs_no_consent(app: Quart, alice: Visitor) -> None:
    for own in ("alice@example.org", " ALICE@Example.org "):
        await alice.post("/reminders/new", text="Hi", to=own, **{"in": "1h"})

    assert [row.state for row in await stored(app)] == [State.SCHEDULED] * 2
    assert await consents(app) == []


async def test_an_international_domain_is_one_address(app: Quart, alice: Visitor, smtp: SmtpServer) -> None:
    for typed in ("bob@bücher.example", "bob@xn--bcher-kva.example"):
        await alice.post("/reminders/new", text="Hi", to=typed, **{"in": "1h"})

    await mail_requests(app)

    assert [mail.recipients for mail in smtp.accepted] == [["bob@xn--bcher-kva.example"]]
    await alice.get("/reminders/1")
    assert "bob@bücher.example" in words(alice)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_no_before_the_claim_stops_the_mail(
    app: Quart, alice: Visitor, visitor: Visitor, smtp: SmtpServer
) -> None:
    """M5: a hundred races between "no more" and the worker. What was declined in time is not mailed."""
    await agreed(app, alice, visitor, smtp)
    database: Database = app.extensions["database"]
    declined = 0
    for pk in range(2, 102):
        async with database.session() as db:
            past = datetime.now(UTC) - timedelta(seconds=1)
            db.add(Reminder(date=past, email="bob@example.org", text="Hi", account_id=1))
            await db.commit()

        async def stop(pk: int = pk) -> None:
            await asyncio.sleep(0.001 * (pk % 40))
            async with database.transaction() as db:
                consent = await answers.of_pair(db, 1, "bob@example.org", lock=True)
                assert consent is not None
                await answers.decline(db, consent)

        async with app.test_request_context("/"):
            await asyncio.gather(deliver(pk, TRIES), stop())
        state = (await stored(app))[pk - 1].state
        declined += state == State.DECLINED
        assert state in (State.DECLINED, State.SENT)
        assert len(smtp.accepted) == pk - declined
        await change_consents(app, answer=Answer.AGREED)
    assert 0 < declined < 100


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_claim_is_refused_without_consent_whatever_the_state_says(
    app: Quart, alice: Visitor, smtp: SmtpServer
) -> None:
    await remind_bob(alice)
    await change(app, state=State.SCHEDULED)

    await mail_reminders(app)

    [reminder] = await stored(app)
    assert (reminder.state, reminder.reason) == (State.DECLINED, NO_CONSENT)
    assert smtp.connections == 0


@pytest.mark.both_databases("of several at once one wins")
async def test_a_run_that_fails_while_another_one_asks_does_not_ask_again(
    app: Quart, alice: Visitor, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remind_bob(alice)
    write, begun = mails.request, False

    async def slowly(consent: Consent, asker: Account) -> EmailMessage:
        nonlocal begun
        if not begun:
            begun = True
            await requests.send(consent.id)
            smtp.script["rcpt"] = "451 4.3.2 not now"
        return await write(consent, asker)

    monkeypatch.setattr(mails, "request", slowly)
    await mail_requests(app)

    assert len(smtp.accepted) == 1
    [consent] = await consents(app)
    assert consent.mail_due_at is None
    assert consent.asked_at is not None


async def test_with_redis_away_nobody_new_is_asked_and_the_page_says_so(
    app: Quart, alice: Visitor, settings: Settings
) -> None:
    await alice.get("/reminders/new")
    await app.extensions["rate_limits"].close()
    app.extensions["rate_limits"] = RateLimits("redis://127.0.0.1:1", settings.secret_key)

    response = await remind_bob(alice)

    assert response.status_code == 503
    assert alice.marks.errors == ["cannot-ask"]
    async with app.extensions["database"].session() as db:
        assert await db.scalar(select(func.count(Reminder.id))) == 0


async def test_an_account_sees_who_may_remind_it_and_whom_it_may_remind(
    app: Quart, alice: Visitor, charlie: Visitor
) -> None:
    await remind_bob(charlie)
    await charlie.get("/consents/")
    assert charlie.marks.states == ["no-askers", "none"]
    assert "bob@example.org" in charlie.text
    await charlie.post("/reminders/new", text="Hi", to="alice@example.org", **{"in": "1h"})

    await alice.get("/consents/")
    assert alice.marks.states == ["none", "nobody-asked"]
    assert "charlie@example.org" in alice.text
    assert "bob@" not in alice.text
    found = LINK.search(alice.text)
    assert found is not None
    await alice.post(found[1], answer="agree")

    await charlie.get("/consents/")
    assert charlie.marks.states == ["no-askers", "agreed", "none"]
    assert LINK.search(charlie.text) is None


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_a_request_that_never_reached_the_queue_is_put_there_by_the_next_sweep(
    app: Quart, alice: Visitor, redis: Redis
) -> None:
    """The web process died right after the commit, or Redis has lost the call."""
    await remind_bob(alice)
    await redis.flushall()

    async with app.app_context():
        await asyncio.gather(*(arming.sweep() for _ in range(3)))

    assert await redis.zrange("arq:queue:mail", 0, -1) == [b"consent:1"]

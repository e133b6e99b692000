"""The confirmation mail on its way: one for each asking, whatever fails; and what it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from quart import Quart
from sqlalchemy import select, update

from app import create_app
from app.context import close, task_context
from app.database import Database
from app.mail import Mailer, MailServer
from app.subscribers import delivery, links, states
from app.subscribers.models import State, Subscriber
from app.subscribers.tasks import send_overdue
from settings import Settings
from tests.app.visitor import Visitor
from tests.app.working import working
from tests.smtp_server import DROP, DROP_AFTER_DOT, STALL_AFTER_DOT, SmtpServer, mailing, smtp_server
from tests.waiting import wait_until

EMAIL = "bob@xn--bcher-kva.example"


class Site:
    """The application's database and mail server, as a worker has them."""

    def __init__(self, app: Quart, smtp: SmtpServer) -> None:
        self.app, self.smtp = app, smtp
        self.database: Database = app.extensions["database"]
        server = MailServer("127.0.0.1", smtp.port, tls="none", connect_s=0.3, command_s=0.3, data_s=0.3)
        app.extensions["mailer"] = Mailer(server, sender="Quarq <quarq@example.org>", pause_s=0)

    async def ask(self) -> Subscriber | None:
        async with self.database.transaction() as db:
            return await states.ask(db, EMAIL)

    async def read(self) -> Subscriber:
        async with self.database.session() as db:
            return (await db.scalars(select(Subscriber))).one()

    async def change(self, **values: Any) -> None:
        async with self.database.transaction() as db:
            await db.execute(update(Subscriber).values(**values))


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[Site]:
    app = create_app(settings)
    async with smtp_server() as smtp, task_context(app)(None):
        yield Site(app, smtp)
    await close(app)


async def test_the_mail_holds_the_link_and_nothing_that_somebody_typed(site: Site) -> None:
    subscriber = await site.ask()
    assert subscriber is not None

    await delivery.send(1)

    [mail] = site.smtp.accepted
    assert mail.recipients == [EMAIL]
    assert mail.message["Subject"] == "Confirm your subscription to the weekly digest of Quarq"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in mail.message
    for part in ("plain", "html"):
        body = mail.message.get_body((part,))
        assert body is not None
        assert links.confirm_url(subscriber, site.app.extensions["settings"]) in body.get_content()
        assert "bob" not in body.get_content()


@pytest.mark.both_databases("of several at once one wins")
async def test_one_mail_for_each_asking_however_often_and_from_wherever_it_is_sent(site: Site) -> None:
    await site.ask()

    await asyncio.gather(*(delivery.send(1) for _ in range(10)))
    await delivery.send(1)

    assert len(site.smtp.accepted) == 1
    assert await delivery.overdue() == []


async def test_a_mail_that_may_have_arrived_is_not_sent_again(site: Site) -> None:
    """One unasked-for mail is enough: the connection ended between the text and the answer."""
    for fault in (DROP_AFTER_DOT, STALL_AFTER_DOT):
        await site.change(asked_at=None)
        await site.ask()
        site.smtp.script["dot"] = fault
        await delivery.send(1)
        assert (await site.read()).mail_due_at is None
        await delivery.send(1)

    assert len(site.smtp.accepted) == 2


@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_claimed_before_its_text_leaves(site: Site) -> None:
    """So that a worker that is killed at any later moment has no successor that sends it once more."""
    await site.ask()
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(delivery.send(1))
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")

    assert (await site.read()).mail_due_at is None
    await sending


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("banner", "421 later"),
        ("rcpt", "450 greylisted"),
        ("data", "451 later"),
        ("dot", "452 disk full"),
        ("mail", DROP),
    ],
)
async def test_what_did_not_leave_is_sent_later(site: Site, stage: str, answer: str) -> None:
    await site.ask()
    site.smtp.script[stage] = answer
    await delivery.send(1)
    assert (await site.read()).state == State.ASKED

    site.smtp.script.clear()
    await site.change(mail_due_at=datetime.now(UTC))
    assert [subscriber.id for subscriber in await delivery.overdue()] == [1]
    await delivery.send(1)

    assert len(site.smtp.accepted) == 1


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_it_is_tried_ever_more_seldom_and_for_four_days(site: Site) -> None:
    await site.ask()
    assert await delivery.overdue() == []

    for age, wait in ((1, 1), (4, 4), (200, 30)):
        now = datetime.now(UTC)
        await site.change(asked_at=now - timedelta(minutes=age), mail_due_at=now)
        assert [subscriber.id for subscriber in await delivery.overdue()] == [1]
        due = (await site.read()).mail_due_at
        assert due is not None
        assert wait * 48 - 1 < (due - now).total_seconds() < wait * 60 + 5
        assert await delivery.overdue() == []

    await site.change(asked_at=datetime.now(UTC) - timedelta(days=4, seconds=1), mail_due_at=datetime.now(UTC))
    assert await delivery.overdue() == []
    assert (await site.read()).mail_due_at is None


@pytest.mark.parametrize(
    ("answer", "state"), [("550 5.1.1 no such user", State.SUPPRESSED), ("554 5.7.1 not from you", State.ASKED)]
)
async def test_a_refusal_for_good_is_kept_with_its_words(site: Site, answer: str, state: State) -> None:
    await site.ask()
    site.smtp.script["rcpt"] = answer

    await delivery.send(1)
    await delivery.send(1)

    subscriber = await site.read()
    assert (subscriber.state, subscriber.mail_due_at) == (state, None)
    assert answer in subscriber.reason
    assert sum(command.startswith("RCPT") for command in site.smtp.commands) == 1


@pytest.mark.parametrize("stage", ["mail", "dot"])
async def test_a_refusal_of_us_or_of_the_text_is_nothing_against_the_address(site: Site, stage: str) -> None:
    for _ in range(states.MOST_REFUSALS):
        assert await site.ask()
        site.smtp.script[stage] = "554 5.7.1 not from you"
        await delivery.send(1)
        await site.change(asked_at=datetime.now(UTC) - timedelta(days=1))

    subscriber = await site.read()
    assert (subscriber.state, subscriber.refusals, subscriber.mail_due_at) == (State.ASKED, 0, None)
    assert "554 5.7.1 not from you" in subscriber.reason


async def test_who_gets_the_digest_already_is_told_so(site: Site) -> None:
    subscriber = await site.ask()
    assert subscriber is not None
    await site.change(state=State.CONFIRMED, confirmed_at=datetime.now(UTC))
    assert await site.ask()

    await delivery.send(1)

    message = site.smtp.accepted[0].message
    assert message["Subject"] == "You already get the weekly digest of Quarq"
    body = message.get_body(("plain",))
    assert body is not None
    assert links.unsubscribe_url(subscriber, site.app.extensions["settings"]) in body.get_content()
    assert re.search(r"Saturday, \d+ \w+ \d{4}, 10:00 \(UTC\)", body.get_content())
    assert "/subscribe/" not in body.get_content()


@pytest.mark.both_databases("a claim in SQL decides")
async def test_nothing_is_sent_to_who_has_left_meanwhile(site: Site) -> None:
    await site.ask()
    async with site.database.transaction() as db:
        states.unsubscribe(db, await db.get_one(Subscriber, 1))

    await delivery.send(1)
    await delivery.send(99)

    assert site.smtp.connections == 0


async def test_from_the_form_to_the_confirmed_subscriber(settings: Settings, smtp: SmtpServer) -> None:
    """Page, Redis, a real worker, SMTP, and the link of the mail."""
    real = mailing(settings, smtp)
    app = create_app(real)
    async with app.test_app(), working(real):
        visitor = Visitor(app)
        await visitor.post("/subscribe", email="bob@bücher.example")
        [mail] = await wait_until(lambda: smtp.accepted, "the mail")
        body = mail.message.get_body(("plain",))
        assert body is not None
        [link] = re.findall(r"\S+/subscribe/\S+", body.get_content())
        response = await visitor.post(urlsplit(link).path)

    assert response.status_code == 200
    assert "bob@bücher.example" in visitor.text
    assert [mail.recipients for mail in smtp.accepted] == [[EMAIL]]


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_a_mail_that_could_not_be_queued_is_sent_by_the_sweep(
    settings: Settings, database: Database, smtp: SmtpServer
) -> None:
    """The web process died, or lost Redis, between saving and queueing: what the page has said comes true."""
    real = mailing(settings, smtp)
    async with database.transaction() as db:
        subscriber = await states.ask(db, EMAIL)
        assert subscriber is not None
        subscriber.mail_due_at = datetime.now(UTC)

    app = create_app(real)
    async with app.test_app(), working(real):
        await send_overdue.delay()
        [mail] = await wait_until(lambda: smtp.accepted, "the mail")

    assert mail.recipients == [EMAIL]

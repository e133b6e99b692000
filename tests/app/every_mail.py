"""Every kind of mail that the site sends, each under the name of its template, with text that is hard to show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from app import database
from app.accounts import Account
from app.accounts import mails as accounts
from app.accounts.links import make_link
from app.blog import Post
from app.context import site
from app.digest import mails as digests
from app.digest import upcoming
from app.digest.models import Digest
from app.mail import current_mailer
from app.playground.orders import mails as orders
from app.reminders import mails as reminders
from app.reminders.consents import mails as consents
from app.reminders.consents.models import Consent
from app.reminders.models import Reminder
from app.subscribers import mails as subscribers
from app.subscribers.models import State, Subscriber
from settings import ROOT

HARD = "给植物浇水 <b>🧺</b> & more\n\n  two blanks before, three after   \n" + "اسق النباتات " * 20 + "\n" + "x" * 120
ALICE, BOB = "alice@example.org", "bob@xn--bcher-kva.example"


def templates() -> set[str]:
    """The names of all templates of mails, read from the folders."""
    return {
        f"{path.parents[1].name}/mails/{path.stem}"
        for path in (ROOT / "app").rglob("templates/*/mails/*")
        if path.suffix in (".html", ".txt")
    }


async def send_all() -> AsyncIterator[str]:
    """Send one mail after the other; the template's name of each. Needs the context of a task, and an empty site."""
    send = current_mailer().send
    async with database.transaction() as db:
        alice = Account(email=ALICE, timezone="Asia/Kathmandu", created_at=datetime.now(UTC))
        db.add(alice)
        links = [
            await make_link(db, site().secret_key, ALICE, browser="Firefox on Linux"),
            await make_link(db, site().secret_key, "new@example.org"),
        ]
        await db.flush()
        asked = Subscriber(email=BOB, state=State.ASKED, asked_at=datetime.now(UTC))
        confirmed = Subscriber(email=ALICE, state=State.CONFIRMED, asked_at=datetime.now(UTC))
        consent = Consent(account_id=alice.id, email=BOB, mail_due_at=datetime.now(UTC))
        past = datetime.now(UTC) - timedelta(minutes=1)
        own = Reminder(account_id=alice.id, email=ALICE, text=HARD, date=past)
        others = [Reminder(account_id=alice.id, email=BOB, text=f"{n} {HARD}", date=past) for n in range(30)]
        posts = [Post(title=f"{n} <i>שלום</i> {'long ' * 20}", text=HARD, published_at=past) for n in range(25)]
        db.add_all([asked, confirmed, consent, own, *others, *posts])
    for link in links:
        await accounts.sign_in_link(link.id)
        yield "accounts/mails/sign_in_link"
    for subscriber in (asked, confirmed):
        await send(await subscribers.confirmation(subscriber))
        yield "subscribers/mails/confirmation"
    await send(await consents.request(consent, alice))
    yield "consents/mails/request"
    for reminder in (own, others[0]):
        await send(await reminders.reminder(reminder))
        yield "reminders/mails/reminder"
    for missed in (others[:1], others):
        await send(await reminders.missed(missed, alice))
        yield "reminders/mails/missed"
    async with database.session() as db:
        await upcoming.save_opening(db, f"{HARD}\n\nSecond <p>aragraph")
        written = await digests.of(db, None)
    await send(digests.copy(written.letter(), confirmed, "<1@example.org>", 1))
    yield "digest/mails/digest"
    await send(written.as_test())
    yield "digest/mails/digest"
    await send(await orders.question(alice, 12_345_678))
    yield "orders/mails/approval"
    digest = Digest(id=1, run="x", began_at=datetime.now(UTC), created_at=datetime.now(UTC))
    await send(await digests.trouble(digest, "The digest was paused automatically. The mail server answered: 550 <no>"))
    yield "digest/mails/trouble"

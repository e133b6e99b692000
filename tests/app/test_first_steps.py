"""The four first steps: what ticks them, what does not, who sees them, and where their links lead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from quart import Quart
from sqlalchemy import Connection, select

from app.accounts.models import Account
from app.blog import Post
from app.database import Database, Model
from app.digest.models import Delivery, Digest
from app.digest.models import State as DigestState
from app.digest.models import Step as DeliveryStep
from app.migrations import config
from app.reminders.models import Reminder
from app.reminders.models import State as ReminderState
from app.subscribers.models import State, Subscriber
from settings import ROOT
from tests.app.visitor import Visitor

STEP = re.compile(r'data-step="(\w+)" data-state="(\w+)"')
NOW = datetime.now(UTC)
BEFORE = "0010"
"""The last revision without them."""
Rows = Callable[[Account, Account], Iterable[Model]]


def subscriber(owner: Account, state: State, **more: object) -> Subscriber:
    return Subscriber(email=owner.email, state=state, asked_at=NOW, **more)


def sent(owner: Account, **more: object) -> Reminder:
    values = {"date": NOW, "email": owner.email, "text": "x", "account_id": owner.id, "sent_at": NOW}
    return Reminder(**(values | {"state": ReminderState.SENT} | more))


def digest(state: DigestState, step: DeliveryStep, pk: int = 1) -> list[Model]:
    ended = NOW if state == DigestState.DONE else None
    return [Digest(id=pk, run=f"run{pk}", state=state, ended_at=ended), Delivery(digest_id=pk, step=step)]


TABLE: dict[str, tuple[str, str, Rows]] = {
    "a draft": ("post", "open", lambda owner, alice: [Post(title="x", text="x")]),
    "a planned post": (
        "post",
        "open",
        lambda owner, alice: [Post(title="x", text="x", published_at=NOW + timedelta(days=1))],
    ),
    "a post": ("post", "done", lambda owner, alice: [Post(title="x", text="x", published_at=NOW)]),
    "another subscriber": ("subscribe", "open", lambda owner, alice: [subscriber(alice, State.CONFIRMED)]),
    "mail due": ("subscribe", "doing", lambda owner, alice: [subscriber(owner, State.ASKED, mail_due_at=NOW)]),
    "mail sent": ("subscribe", "doing", lambda owner, alice: [subscriber(owner, State.ASKED)]),
    "confirmed": ("subscribe", "done", lambda owner, alice: [subscriber(owner, State.CONFIRMED, confirmed_at=NOW)]),
    "left": ("subscribe", "done", lambda owner, alice: [subscriber(owner, State.UNSUBSCRIBED, confirmed_at=NOW)]),
    "refused": ("subscribe", "open", lambda owner, alice: [subscriber(owner, State.SUPPRESSED, reason="no")]),
    "another's reminder": ("remind", "open", lambda owner, alice: [sent(alice)]),
    "another's to the owner": ("remind", "open", lambda owner, alice: [sent(alice, email=owner.email)]),
    "the owner's to another": ("remind", "open", lambda owner, alice: [sent(owner, email=alice.email)]),
    "set": ("remind", "doing", lambda owner, alice: [sent(owner, state=ReminderState.SCHEDULED, sent_at=None)]),
    "failed": ("remind", "open", lambda owner, alice: [sent(owner, state=ReminderState.FAILED)]),
    "sent": ("remind", "done", lambda owner, alice: [sent(owner)]),
    "sent and erased": ("remind", "done", lambda owner, alice: [sent(owner, text="", date=NOW - timedelta(days=99))]),
    "made in a shell": ("remind", "done", lambda owner, alice: [sent(owner, account_id=None)]),
    "sent, and the next one set": (
        "remind",
        "done",
        lambda owner, alice: [sent(owner), sent(owner, state=ReminderState.SCHEDULED)],
    ),
    "a planned digest": ("digest", "doing", lambda owner, alice: digest(DigestState.PLANNED, DeliveryStep.WAITING)),
    "a digest on its way": ("digest", "doing", lambda owner, alice: digest(DigestState.SENDING, DeliveryStep.WAITING)),
    "a paused one": ("digest", "doing", lambda owner, alice: digest(DigestState.PAUSED, DeliveryStep.SENT)),
    "a stopped one": ("digest", "open", lambda owner, alice: digest(DigestState.STOPPED, DeliveryStep.SENT)),
    "one that reached nobody": ("digest", "open", lambda owner, alice: digest(DigestState.DONE, DeliveryStep.FAILED)),
    "a digest": ("digest", "done", lambda owner, alice: digest(DigestState.DONE, DeliveryStep.SENT)),
    "a digest, and the next one on its way": (
        "digest",
        "done",
        lambda owner, alice: [
            *digest(DigestState.DONE, DeliveryStep.SENT),
            *digest(DigestState.SENDING, DeliveryStep.WAITING, 2),
        ],
    ),
}
"""Rows, the step that they concern, and its state. The other three stay open."""


def test_each_line_of_code_is_one_of_the_site() -> None:
    steps = (ROOT / "app/first_steps/templates/first_steps/steps.html").read_text()
    source = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))

    shown = re.findall(r"^  <code>(.*)\)</code>$", steps, re.MULTILINE)

    assert len(shown) == 4
    assert [line for line in shown if re.sub(r"\s", "", line) not in re.sub(r"\s", "", source)] == []


@pytest.fixture
def database(app: Quart) -> Database:
    found: Database = app.extensions["database"]
    return found


@pytest.mark.both_databases("SQL decides which row of several a step shows")
async def test_each_step_is_what_its_rows_are(database: Database, owner: Visitor, alice: Visitor) -> None:
    async with database.session() as db:
        accounts = {one.email: one for one in await db.scalars(select(Account))}
    of_owner, of_alice = accounts[owner.settings.owner_email], accounts["alice@example.org"]

    for name, (step, state, rows) in TABLE.items():
        async with database.transaction() as db:
            made = list(rows(of_owner, of_alice))
            for row in made:
                db.add(row)
                await db.flush()
        await owner.get("/")
        expected = dict.fromkeys(("post", "subscribe", "remind", "digest"), "open") | {step: state}
        assert dict(STEP.findall(owner.text)) == expected, name
        assert owner.marks.counts["steps-done"] == (state == "done"), name
        async with database.transaction() as db:
            for row in reversed(made):
                await db.delete(row)


async def test_only_the_owner_sees_them_on_the_first_page_and_never_on_another(
    owner: Visitor, alice: Visitor, visitor: Visitor
) -> None:
    for reader, path, seen in ((owner, "/", 4), (owner, "/reminders/", 0), (alice, "/", 0), (visitor, "/", 0)):
        await reader.get(path)
        assert len(STEP.findall(reader.text)) == seen, path


async def test_they_can_be_dismissed_and_brought_back(owner: Visitor, alice: Visitor) -> None:
    await owner.get("/reminders/")
    assert ">First steps</a>" in owner.text, "every page leads back to them"
    await owner.post("/first-steps/dismiss", page="/")
    await owner.get("/")
    assert (STEP.findall(owner.text), owner.marks.notices) == ([], ["first-steps-hidden"])
    assert ">First steps</a>" not in owner.text

    await owner.post("/first-steps/show", page="/account")
    await owner.get("/")
    assert len(STEP.findall(owner.text)) == 4
    assert (await alice.post("/first-steps/dismiss", page="/account")).status_code == 403


@pytest.mark.both_databases("a migration")
async def test_a_site_that_has_sent_a_digest_does_not_show_them_after_an_upgrade(
    database: Database, owner: Visitor
) -> None:
    def upgraded(connection: Connection) -> None:
        command.downgrade(config(connection), BEFORE)
        command.upgrade(config(connection), "head")

    for sent, shown in ((False, 4), (True, 0)):
        async with database.transaction() as db:
            db.add_all(digest(DigestState.DONE, DeliveryStep.SENT)[:sent])
        async with database.writer.begin() as connection:
            await connection.run_sync(upgraded)
        await owner.get("/")
        assert len(STEP.findall(owner.text)) == shown


async def test_the_buttons_come_back_and_the_links_lead_to_jobs_while_redis_keeps_them(
    database: Database, owner: Visitor
) -> None:
    """Without JavaScript: forms and links alone."""
    await owner.get("/")
    assert {"/posts/samples", "/subscribe", "/reminders/new"} <= set(owner.marks.actions)
    email = owner.settings.owner_email
    for path, form in (
        ("/posts/samples", {}),
        ("/subscribe", {"email": email}),
        ("/reminders/new", {"text": "x", "in": "10s"}),
    ):
        response = await owner.post(path, page="/", back="home", **form)
        assert (response.status_code, response.location) == (303, "/"), path

    await owner.get("/")
    assert 'http-equiv="refresh"' in owner.text, "without JavaScript it is loaded again while something is on its way"
    states = dict(STEP.findall(owner.text))
    assert states == {"post": "done", "subscribe": "doing", "remind": "doing", "digest": "open"}
    async with database.transaction() as db:
        [asked], [reminder] = await db.scalars(select(Subscriber)), await db.scalars(select(Reminder))
        reminder.state, reminder.sent_at = ReminderState.SENT, NOW
    for job, kind in ((asked.job_id, "confirmation"), (reminder.job_id, "reminder")):
        assert job.startswith(f"{kind}:1:")
        link = f"/monitor/job?id={job.replace(':', '%3A')}"
        await owner.get("/")
        assert f'href="{link}"' in owner.text
        assert (await owner.get(link)).status_code == 200

    async with database.transaction() as db:
        for row in (await db.get_one(Subscriber, 1), await db.get_one(Reminder, 1)):
            setattr(row, "asked_at" if isinstance(row, Subscriber) else "sent_at", NOW - timedelta(days=1, seconds=1))
    await owner.get("/")
    assert "/monitor/job?" not in owner.text
    assert dict(STEP.findall(owner.text))["remind"] == "done"

"""Every action that sends mail has limits, and what is over one is refused with a sentence and keeps what was typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import func, select

from app import create_app, mail_limits
from app.accounts.models import Account, SignInLink
from app.blog import Post
from app.database import Database, Model
from app.digest import choosing
from app.digest.models import Delivery, Digest, Step
from app.digest.models import State as DigestState
from app.mail_limits import ACTIONS, DAY, HOUR, MINUTE, Allowances
from app.reminders import limits
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import Reminder, State
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber
from app.web.rate_limits import RateLimits
from settings import ROOT, Settings
from tests.app.filling import fill
from tests.app.marks import Marks
from tests.app.routes import rules
from tests.app.visitor import Visitor, words

NO_MAIL = {
    *("accounts.use_link", "accounts.sign_out", "accounts.sign_out_everywhere", "accounts.save"),
    *("blog.create", "blog.save", "blog.publish", "blog.withdraw", "blog.delete", "blog.add_samples"),
    *("consents.stop", "digest.seen", "digest.save_opening", "digest.undo"),
    *("privacy.download", "privacy.delete", "playground.run"),
    "orders.answer",
    *("reminders.stop", "subscribers.confirm", "subscribers.unsubscribe", "subscribers.forget"),
    *("calendar.renew", "calendar.end", "inbox.delete", "inbox.delete_all"),
    *("blog.keep", "blog.discard", "blog.preview", "blog.upload", "blog.delete_picture"),
    *("subscribers.lift", "subscribers.remove", "subscribers.export", "subscribers.stop_import"),
    *("first_steps.dismiss", "first_steps.show"),
    *("monitor.revoke_job", "monitor.reschedule_job", "monitor.pause_queue", "monitor.resume_queue"),
    *("monitor.purge_queue", "monitor.pause_schedule", "monitor.resume_schedule", "monitor.forget_schedule"),
    *("monitor.delete_schedule", "monitor.change_limit"),
    *("monitor.quiet_worker", "monitor.stop_worker", "monitor.change_rate", "monitor.choose_zone"),
    *("monitor.make_plan", "monitor.stop_plan"),
    *("monitor.answer_job", "monitor.send_event", "monitor.mark_error"),
}
"""What changes something, and sends no mail by that."""


SENDS = r"(mailer\b.*\.send|\boutbox\.deliver)$"


def senders() -> Iterator[str]:
    """Every function of the site that hands a mail over."""
    for path in (ROOT / "app").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not module.startswith("app.mail."):
            yield from _in(ast.parse(path.read_text()), module)


def _in(node: ast.AST, name: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        here = isinstance(child, ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef)
        inner = (
            f"{name}.{child.name}" if isinstance(child, ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef) else name
        )
        yield from _in(child, inner if here else name)
        if isinstance(child, ast.Call) and re.search(SENDS, ast.unparse(child.func)):
            yield name
        if isinstance(child, ast.ImportFrom) and child.module == "app.mail.outbox":
            assert "deliver" not in {alias.name for alias in child.names}, f"{name}: write outbox.deliver"


def test_every_function_that_sends_mail_has_a_row() -> None:
    assert {action.sent_by for action in ACTIONS.values()} == set(senders())
    assert all(action.by_account or action.besides for action in ACTIONS.values() if not action.by_recipient)


async def test_every_page_that_changes_something_is_known_to_send_mail_or_not(app: Quart) -> None:
    changing = {rule.endpoint for _, rule, _ in rules(app) if "POST" in (rule.methods or ())}
    mailing = {endpoint for action in ACTIONS.values() for endpoint in action.routes}

    assert mailing | NO_MAIL == changing
    assert mailing & NO_MAIL == set()


def test_the_table_in_the_docs_is_the_one_in_force() -> None:
    names = {MINUTE: "a minute", HOUR: "an hour", DAY: "a day"}

    def cell(allowances: Allowances) -> str:
        return ", ".join(f"{times:,} {names[period]}" for times, period in allowances) or "-"

    text = (ROOT / "docs" / "mail.md").read_text()
    for name, action in ACTIONS.items():
        numbers = (action.by_account, action.by_recipient, action.by_client, action.by_site)
        row = f"| {name} | {' | '.join(map(cell, numbers))} | {action.besides} |"
        assert row in text, row


# What makes each kind of limit full, and what is typed into the form then. The owner's actions need a digest.
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "sign-in": ("/sign-in", {"email": "new@example.org"}),
    "subscribe": ("/subscribe", {"email": "new@example.org"}),
    "consent": ("/reminders/new", {"text": "Words to keep", "to": "new@example.org", "in": "1h"}),
    "reminder": ("/reminders/new", {"text": "Words to keep", "in": "1h"}),
    "reminder-to-others": ("/reminders/new", {"text": "Words to keep", "to": "bob@example.org", "in": "1h"}),
    "digest": ("/digest/1/again", {}),
    "digest-test": ("/digest/1/test", {}),
    "order": ("/playground/order", {}),
}
LIMITS = [
    (name, whose, index)
    for name, action in ACTIONS.items()
    for whose in ("account", "recipient", "client", "site")
    for index in range(len(getattr(action, f"by_{whose}")))
]


async def counted(app: Quart) -> list[int]:
    """Rows of what each of the forms would add."""
    database: Database = app.extensions["database"]
    async with database.session() as db:
        models: list[type[Model]] = [Reminder, Consent, Subscriber, SignInLink]
        return [await db.scalar(select(func.count()).select_from(model)) or 0 for model in models]


async def add(app: Quart, *rows: Model) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add_all(rows)
        await db.commit()


@pytest.mark.parametrize(("name", "whose", "index"), LIMITS)
async def test_what_is_over_a_limit_is_refused_with_a_sentence_and_keeps_the_words(
    app: Quart, redis: Redis, alice: Visitor, owner: Visitor, name: str, whose: str, index: int
) -> None:
    path, form = FORMS[name]
    person, account = (owner, 2) if path.startswith("/digest/") else (alice, 1)
    if name in ("sign-in", "subscribe"):
        person = Visitor(app)
    await add(
        app,
        Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED),
        Subscriber(email="reader@example.org", state=SubscriberState.CONFIRMED),
        Digest(run="run", state=DigestState.DONE),
    )
    now = datetime.now(UTC)
    await add(app, Delivery(digest_id=1, subscriber_id=1, step=Step.UNCERTAIN, next_try_at=now))
    await fill(app, redis, name, whose, index, account)
    before = await counted(app)

    response = await person.post(path, page="/digest/1" if path.startswith("/digest/") else path, **form)

    assert response.status_code == 429
    assert re.search(r"\d+ (hours?|minutes?|seconds?)\b", words(person)), person.text
    for kept in ("email", "text", "to"):
        assert form.get(kept, "") in person.text
    assert await counted(app) == before
    async with app.extensions["database"].session() as db:
        assert await db.scalar(select(Delivery.step)) == Step.UNCERTAIN


async def test_an_account_cannot_send_all_day(app: Quart, alice: Visitor) -> None:
    """Neither to an address that has agreed once, nor to itself, as fast as the form can be sent."""
    await add(app, Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED))
    await alice.get("/reminders/new")
    form, statuses = {"csrf_token": alice.token(), "text": "Hi", "in": "1h"}, []

    async with app.test_request_context("/"):
        for _ in range(90):
            assert not await mail_limits.take("reminder", account=1)
    for to in ["bob@example.org"] * 24 + [""] * 14:
        answer = await alice.client.post("/reminders/new", form=form | {"to": to})
        statuses.append(answer.status_code)

    assert statuses == [303] * 20 + [429] * 4 + [303] * 10 + [429] * 4
    assert Marks(await answer.get_data(as_text=True)).errors == ["too-often"]


@pytest.mark.both_databases("of several at once one wins")
async def test_an_address_gets_20_reminders_within_a_day_whoever_sets_them_and_whenever(
    app: Quart, alice: Visitor, charlie: Visitor
) -> None:
    """Also if they are moved there later, one by one."""
    at = datetime.now(UTC) + timedelta(days=30)
    rows = [Consent(account_id=n, email="bob@example.org", answer=Answer.AGREED) for n in (1, 2)]
    await add(app, *rows)
    due = [
        Reminder(date=at + timedelta(hours=n), email="bob@example.org", text="Hi", account_id=1 + n % 2)
        for n in range(limits.MOST_TO_OTHERS)
    ]
    later = Reminder(date=at + timedelta(days=9), email="bob@example.org", text="Later", account_id=1)
    await add(app, *due, later)
    crowded = (at + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
    pk = limits.MOST_TO_OTHERS + 1

    for person, path in ((alice, "/reminders/new"), (charlie, "/reminders/new"), (alice, f"/reminders/{pk}/edit")):
        answer = await person.post(path, text="Words to keep", to="bob@example.org", when=crowded)
        assert answer.status_code == 429
        assert person.marks.errors == ["crowded"]
        assert "Words to keep" in person.text
    elsewhen = (at + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M")
    answer = await alice.post("/reminders/new", text="Hi", to="bob@example.org", when=elsewhen)
    assert answer.status_code == 303
    same = due[4].date.strftime("%Y-%m-%dT%H:%M")
    assert (await alice.post("/reminders/new", text="Mine", when=same)).status_code == 303, "to oneself"


async def test_changing_what_waits_is_free_and_mailing_again_is_not(app: Quart, redis: Redis, alice: Visitor) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    waits = Reminder(date=at, email="alice@example.org", text="Hi", account_id=1)
    over = Reminder(date=at, email="alice@example.org", text="Hi", account_id=1, state=State.FAILED)
    await add(app, waits, over)
    await fill(app, redis, "reminder", "account", 0, 1)

    changed = await alice.post("/reminders/1/edit", text="Other words", **{"in": "1h"})
    again = await alice.post("/reminders/2/edit", text="Words to keep", **{"in": "1h"})

    assert (changed.status_code, again.status_code) == (303, 429)
    assert "Words to keep" in alice.text


async def test_reminders_are_set_while_redis_counts_nothing(app: Quart, alice: Visitor, settings: Settings) -> None:
    await add(app, Consent(account_id=1, email="bob@example.org", answer=Answer.AGREED))
    await app.extensions["rate_limits"].close()
    app.extensions["rate_limits"] = RateLimits("redis://127.0.0.1:1", settings.secret_key)

    for to in ("", "bob@example.org"):
        assert (await alice.post("/reminders/new", text="Hi", to=to, **{"in": "1h"})).status_code == 303


async def test_what_strangers_use_up_locks_out_nobody_who_has_an_account(settings: Settings, redis: Redis) -> None:
    """Nor the owner before the first sign-in; each of them still gets six an hour."""
    app = create_app(replace(settings, trusted_proxies=1))
    async with app.test_app():
        await add(app, Account(email="alice@example.org", timezone="UTC", created_at=datetime.now(UTC)))
        await fill(app, redis, "sign-in", "site", 0, 0)
        statuses = {}
        for n, email in enumerate(("new@example.org", "alice@example.org", settings.owner_email)):
            visitor = Visitor(app)
            headers = {"X-Forwarded-For": f"203.0.113.{n}"}
            statuses[email] = (await visitor.post("/sign-in", email=email, headers=headers)).status_code

    assert statuses == {"new@example.org": 429, "alice@example.org": 200, settings.owner_email: 200}


@pytest.mark.parametrize(
    ("network", "most"), [("2001:db8:5:{n:x}::1", 120), ("::ffff:10.0.{n}.1", 200), ("2001:db8:{n:x}::1", 200)]
)
async def test_one_network_of_ipv6_is_not_a_thousand_clients(settings: Settings, network: str, most: int) -> None:
    """Its /64 networks share what four clients may ask for, of every action that is limited by client."""
    app = create_app(replace(settings, trusted_proxies=1))
    async with app.test_app():
        for name in (name for name, action in ACTIONS.items() if action.by_client):
            [(times, _)] = ACTIONS[name].by_client
            taken = 0
            for n in range(200):
                headers = {"X-Forwarded-For": network.format(n=n)}
                async with app.test_request_context("/", headers=headers):
                    taken += not await app.extensions["rate_limits"].take(*mail_limits.of_clients(name))
            assert taken == min(most, 4 * times if most == 120 else most), name


async def test_ten_digests_a_day_and_their_posts_wait_for_the_next(app: Quart, owner: Visitor) -> None:
    """However they are begun: by the page, by the clock, by the monitor or a shell."""
    now = datetime.now(UTC)
    await add(app, Subscriber(email="reader@example.org", state=SubscriberState.CONFIRMED, confirmed_at=now))
    await add(app, *(Digest(run=f"{n}", state=DigestState.DONE) for n in range(choosing.MOST_A_DAY)))
    await add(app, Post(title="New", text="Words", published_at=now))

    async with app.app_context():
        assert await choosing.begin("one more") is None
    await owner.post("/digest/run", page="/account", typed="1")
    await owner.get("/digest/")
    assert owner.marks.notices == ["enough-today"]

    async with app.extensions["database"].session() as db:
        (await db.get_one(Digest, 1)).created_at -= timedelta(days=1)
        await db.commit()
    async with app.app_context():
        assert await choosing.begin("one more") is not None

"""What is handed out, what is deleted on request, and what is erased after a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quart import Quart, request
from redis.asyncio import Redis
from sqlalchemy import func, select

from app.accounts import current_account
from app.accounts.models import Account, SignIn, SignInLink
from app.background import TASKS, schedules
from app.database import Database, Model
from app.digest.models import Delivery, Digest, Step
from app.privacy import deletion, retention
from app.privacy.pages import EXPORTS_AN_HOUR
from app.privacy.tasks import erase_old
from app.reminders import limits
from app.reminders.consents import links
from app.reminders.consents.models import ONE_REQUEST_PER, Answer, Consent
from app.reminders.models import NO_CONSENT, OPEN, Reminder, State
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber
from jobs import every
from settings import Settings
from tests.app.rows import stored
from tests.app.visitor import Visitor, words

DAY = timedelta(days=1)


async def add(app: Quart, *rows: Model) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add_all(rows)
        await db.commit()


async def found(app: Quart, model: type[Model]) -> list[Any]:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        return list(await db.scalars(select(model).order_by(*model.__mapper__.primary_key)))


async def delete(somebody: Visitor, typed: str = "alice@example.org") -> Any:
    return await somebody.post("/account/delete", page="/account/data", email=typed)


async def everybody(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    """Alice and Charlie have reminders, ask Bob and each other, and have subscribed."""
    for somebody, other in ((alice, "charlie"), (charlie, "alice")):
        await somebody.post("/reminders/new", text="给植物浇水 🌱", **{"in": "1h"})
        for to in ("bob", other):
            await somebody.post("/reminders/new", text="Hi", to=f"{to}@example.org", **{"in": "1h"})
    for name in ("alice", "charlie"):
        await add(app, Subscriber(email=f"{name}@example.org", state=SubscriberState.CONFIRMED))


@pytest.mark.both_databases("it reads every table")
async def test_the_download_holds_all_of_mine_and_nothing_of_others(
    app: Quart, alice: Visitor, charlie: Visitor
) -> None:
    await everybody(app, alice, charlie)
    await add(app, Reminder(date=datetime.now(UTC) + DAY, email="alice@example.org", text="From a shell"))
    await add(app, Consent(account_id=None, email="alice@example.org", asked_at=datetime.now(UTC)))
    await add(app, Digest(run="x"))
    await add(app, *(Delivery(digest_id=1, subscriber_id=pk, step=Step.SENT) for pk in (1, 2)))

    response = await alice.post("/account/export", page="/account/data")

    assert response.headers["Content-Disposition"] == 'attachment; filename="account.json"'
    assert response.headers["Cache-Control"] == "no-store"
    known = json.loads(alice.text)
    assert known["account"]["email"] == "alice@example.org"
    assert [row["text"] for row in known["reminders"]] == ["给植物浇水 🌱", "Hi", "Hi", "From a shell"]
    assert [row["email"] for row in known["people_you_asked"]] == ["bob@example.org", "charlie@example.org"]
    assert [row["account"] for row in known["people_who_asked_you"]] == ["charlie@example.org", None]
    assert [(row["digest_id"], row["step"]) for row in known["digests"]] == [(1, Step.SENT)]
    assert [row["email"] for row in known["subscription"]] == ["alice@example.org"]
    assert (len(known["browsers_signed_in"]), len(known["sign_in_links"])) == (1, 1)
    secrets = [row.nonce for row in await found(app, Consent) + await found(app, SignInLink)]
    secrets += [row.token_hash for row in await found(app, SignIn)]
    assert not [secret for secret in secrets if secret in alice.text]


async def test_everything_is_handed_out_a_few_times_an_hour(alice: Visitor, charlie: Visitor) -> None:
    answers = [await alice.post("/account/export", page="/account/data") for _ in range(EXPORTS_AN_HOUR + 1)]

    assert [answer.status_code for answer in answers] == [200] * EXPORTS_AN_HOUR + [429]
    assert alice.marks.errors == ["too-often"]
    assert (await charlie.post("/account/export", page="/account/data")).status_code == 200


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_a_deleted_account_leaves_nothing_behind(
    app: Quart, alice: Visitor, charlie: Visitor, redis: Redis
) -> None:
    await everybody(app, alice, charlie)
    other = Visitor(app)
    await other.sign_in("alice@example.org")

    response = await delete(alice, " Alice@Example.org ")

    assert response.status_code == 303
    assert [row.email for row in await found(app, Account)] == ["charlie@example.org"]
    assert [row.email for row in await found(app, Subscriber)] == ["charlie@example.org"]
    assert {row.email for row in await found(app, SignInLink)} == {"charlie@example.org"}
    assert [(row.email, row.state, row.reason) for row in await stored(app)] == [
        ("charlie@example.org", State.SCHEDULED, ""),
        ("bob@example.org", State.WAITING, ""),
        ("alice@example.org", State.DECLINED, NO_CONSENT),
    ]
    [mine] = [row.job_id for row in await stored(app) if row.state == State.SCHEDULED]
    assert await redis.zrange("arq:queue", 0, -1) == [mine.encode()]
    assert await redis.keys("*reminder:1*") == []
    for browser in (alice, other):
        assert (await browser.get("/account/data")).location == "/sign-in"
    await alice.get("/")
    assert alice.marks.notices == ["account-deleted"]


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_a_no_outlives_the_account_that_said_it(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    await charlie.post("/reminders/new", text="Hi", to="alice@example.org", **{"in": "1h"})
    await delete(alice)

    response = await charlie.post("/reminders/new", text="Hi", to="alice@example.org", **{"in": "1h"})

    assert response.status_code == 400
    assert NO_CONSENT in words(charlie)


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_an_address_is_not_asked_twice_because_the_account_is_new(app: Quart, alice: Visitor) -> None:
    """M10 holds for somebody who deletes the account after each request, too."""
    now = datetime.now(UTC)
    await alice.post("/reminders/new", text="Hi", to="bob@example.org", **{"in": "1h"})
    await alice.post("/reminders/new", text="Hi", to="dora@example.org", **{"in": "1h"})
    database: Database = app.extensions["database"]
    async with database.session() as db:
        asked = (await db.scalars(select(Consent).where(Consent.email == "bob@example.org"))).one()
        asked.mail_due_at, asked.asked_at = None, now
        link = links.answer_url(asked, app.extensions["settings"]).removeprefix("http://127.0.0.1:8000")
        await db.commit()

    await delete(alice)

    [kept] = await found(app, Consent)
    assert (kept.account_id, kept.email) == (None, "bob@example.org")
    again = Visitor(app)
    assert (await again.get(link)).status_code == 404
    await again.sign_in("alice@example.org")
    await again.post("/reminders/new", text="Hi", to="bob@example.org", **{"in": "1h"})
    new = (await found(app, Consent))[-1]
    assert new.mail_due_at is not None
    assert new.mail_due_at >= now + ONE_REQUEST_PER


@pytest.mark.parametrize("typed", ["", "charlie@example.org", "alice", "<script>"])
async def test_without_the_address_nothing_is_deleted(app: Quart, alice: Visitor, typed: str) -> None:
    response = await delete(alice, typed)

    assert response.status_code == 400
    assert alice.marks.errors == ["not-confirmed"]
    assert len(await found(app, Account)) == 1


@pytest.mark.parametrize("to", ["", "bob@example.org"])
@pytest.mark.both_databases("of several at once one wins")
async def test_a_form_that_meets_the_end_of_its_account_saves_nothing(app: Quart, alice: Visitor, to: str) -> None:
    """Sent from another tab: the account was there when the request came, and is gone when it is saved."""

    @app.before_request
    async def delete_meanwhile() -> None:
        if request.method == "POST":
            await deletion.delete_account(current_account())

    response = await alice.post("/reminders/new", text="Hi", to=to, **{"in": "1h"})

    assert response.status_code == 403
    assert alice.marks.errors == ["account-deleted"]
    assert await stored(app) == await found(app, Account) == []


@pytest.mark.both_databases("of several at once one wins")
async def test_an_account_gets_no_more_reminders_by_sending_its_forms_at_once(
    app: Quart, alice: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_OPEN", 3)
    await alice.get("/reminders/new")
    form = {"csrf_token": alice.token(), "text": "Hi", "in": "1h"}

    answers = await asyncio.gather(*(alice.client.post("/reminders/new", form=form) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [303] * 3 + [400] * 5
    assert len(await stored(app)) == 3


async def test_redis_away_keeps_nothing_from_being_deleted(lonely: Visitor) -> None:
    await lonely.post("/reminders/new", text="Hi", **{"in": "1h"})

    response = await delete(lonely)

    assert response.status_code == 303
    await lonely.sign_in("alice@example.org")
    await lonely.get("/reminders/")
    assert lonely.marks.states == ["empty"]


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_what_is_old_is_erased_and_nothing_else(app: Quart, alice: Visitor) -> None:
    now = datetime.now(UTC)
    old, young = now - 90 * DAY - timedelta(minutes=1), now - 89 * DAY
    for age in (old, young):
        for state in State:
            sent_at = age if state == State.SENT else None
            row = Reminder(date=age, email="alice@example.org", text="Hi", state=state, sent_at=sent_at)
            await add(app, row)
        link = {"email": "a@example.org", "nonce": "x", "created_at": age, "expires_at": age}
        await add(app, SignInLink(token_hash=f"{age}", **link))
        week = now - 7 * DAY + (timedelta(minutes=1) if age == young else -timedelta(minutes=1))
        asked = Subscriber(email=f"{week.timestamp()}@example.org", asked_at=week)
        await add(app, asked, SignIn(token_hash=f"{age}", account_id=1, created_at=age,
                                     seen_at=now - 14 * DAY if age == old else now, expires_at=now + DAY))  # fmt: skip
    await add(app, Consent(email="a@example.org", asked_at=now - DAY), Consent(email="a@example.org", asked_at=now),
              Consent(email="b@example.org", asked_at=old, account_id=1, answer=Answer.AGREED))  # fmt: skip

    async with app.app_context():
        assert await retention.erase_old() == {
            "cancelled reminders that repeat": 0,
            "texts of reminders": len(State) - len(OPEN),
            "texts of repeating reminders": 0,
            "sign-in links": 2,
            "signed-in browsers": 1,
            "unsaved texts": 0,
            "texts that were saved": 0,
            "requests of deleted accounts": 1,
            "unconfirmed subscribers": 1,
        }
        assert set((await retention.erase_old()).values()) == {0}
    erased = [row for row in await stored(app) if row.text == ""]
    assert {(row.date == old, row.revision) for row in erased} == {(True, 0)}
    assert not {row.state for row in erased} & set(OPEN)
    await alice.get(f"/reminders/{erased[0].id}")
    assert alice.marks.states[0] == "erased"


async def test_who_asked_cannot_be_found_in_redis_by_trying_all_addresses(
    app: Quart, visitor: Visitor, redis: Redis
) -> None:
    """Of IPv4 there are 4 billion: a plain hash of one is read back within minutes."""
    await visitor.post("/subscribe", email="bob@example.org")

    names = [key.decode() for key in await redis.keys("app:limit:*")]
    tried = [hashlib.sha256(word).hexdigest() for word in (b"bob@example.org", b"local", b"127.0.0.1")]
    assert len(names) == 3
    assert not [name for name in names for digest in tried if name.rpartition(":")[2] in digest]


async def test_the_page_tells_the_numbers_that_are_set(app: Quart, visitor: Visitor) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], reminder_days=17, unconfirmed_days=1)

    await visitor.get("/privacy")

    shown = set(re.findall(r"\d+ (?:minute|day)s?", words(visitor)))
    assert shown == {"17 days", "1 day", "10 minutes", "14 days", "30 days", "90 days"}


async def test_only_posts_from_the_page_delete_or_hand_out(app: Quart, alice: Visitor) -> None:
    for path in ("/account/export", "/account/delete"):
        assert (await alice.get(path)).status_code == 405
        response = await alice.client.post(path, form={"email": "alice@example.org"})
        assert response.status_code == 403
    database: Database = app.extensions["database"]
    async with database.session() as db:
        assert await db.scalar(select(func.count(Account.id))) == 1


async def test_workers_erase_once_an_hour(settings: Settings) -> None:
    [found] = [schedule for schedule in schedules(settings) if schedule.name == erase_old.name]

    assert erase_old in TASKS
    assert isinstance(found, every)
    now = datetime.now(UTC)
    assert timedelta(0) < found.next_after(now) - now <= timedelta(hours=1)

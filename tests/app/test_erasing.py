"""What is deleted is not in SQLite's files any more: neither in the database nor in its log."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import delete

from app.accounts.models import Account, SignInLink
from app.blog import Post
from app.database import Database, Model
from app.database.erasing import empty_log
from app.privacy import retention
from app.reminders.consents.models import Consent
from app.reminders.models import Reminder, State
from app.subscribers.links import unsubscribe_url
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber
from settings import Settings
from tests.app.visitor import Visitor

MARK = "water-the-plants"
LONG = f"{MARK} " * 500
"""Longer than a page of the database."""
Deletion = Callable[[Quart, Visitor, Visitor], Awaitable[Any]]


def left(settings: Settings, mark: str = MARK) -> list[str]:
    """The files in which it can still be read."""
    return [file.name for file in settings.data_dir.glob("site.db*") if mark.encode() in file.read_bytes()]


async def add(app: Quart, *rows: Model) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        db.add_all(rows)
        await db.commit()


async def an_account(app: Quart, alice: Visitor, owner: Visitor) -> None:
    """With reminders to oneself and others, long and short, a question to somebody, a subscription, links."""
    for text, to in ((LONG, ""), (MARK, f"{MARK}@example.org"), (LONG, "")):
        answer = await alice.post("/reminders/new", text=text, to=to, **{"in": "1h"})
        assert answer.status_code == 303
    await alice.post("/account/delete", page="/account/data", email="alice@example.org")


async def a_post(app: Quart, alice: Visitor, owner: Visitor) -> None:
    post = Post(title=MARK, text=LONG)
    await add(app, post)
    await owner.post(f"/posts/{post.id}/delete", page=f"/posts/{post.id}/edit")


async def a_subscriber_by_the_owner(app: Quart, alice: Visitor, owner: Visitor) -> None:
    await add(app, Subscriber(email=f"{MARK}@example.org"))
    await owner.post("/subscribers/1/remove", page="/subscribers/1")


async def a_subscriber_by_the_link(app: Quart, alice: Visitor, owner: Visitor) -> None:
    subscriber = Subscriber(email=f"{MARK}@example.org", state=SubscriberState.UNSUBSCRIBED)
    await add(app, subscriber)
    path = unsubscribe_url(subscriber, alice.settings).removeprefix(alice.settings.base_url)
    await alice.post(f"{path}/forget", page=path)


async def links_to_sign_in(app: Quart, alice: Visitor, owner: Visitor) -> None:
    other = Visitor(app)
    await other.sign_in(f"{MARK}@example.org")
    await Visitor(app).post("/sign-in", email=f"{MARK}@example.org")
    await other.post("/account/delete", page="/account/data", email=f"{MARK}@example.org")


async def what_is_old(app: Quart, alice: Visitor, owner: Visitor) -> None:
    old = datetime.now(UTC) - timedelta(days=400)
    address = f"{MARK}@example.org"
    await add(
        app,
        Reminder(date=old, sent_at=old, email="a@example.org", text=LONG, state=State.SENT),
        Reminder(date=old, sent_at=old, email="a@example.org", text=MARK, state=State.SENT),
        Subscriber(email=address, asked_at=old, state=SubscriberState.ASKED),
        SignInLink(email=address, nonce="n", token_hash="h", created_at=old, expires_at=old),
        Consent(email=address, asked_at=old),
    )
    async with app.app_context():
        await retention.erase_old()


DELETIONS = [
    an_account, a_post, a_subscriber_by_the_owner, a_subscriber_by_the_link, links_to_sign_in, what_is_old,
]  # fmt: skip


@pytest.mark.parametrize("deletion", DELETIONS, ids=lambda deletion: deletion.__name__)
async def test_its_bytes_are_gone(
    app: Quart, settings: Settings, alice: Visitor, owner: Visitor, deletion: Deletion
) -> None:
    """Also while other rows, written before and after, stay."""
    await add(app, *(Post(title=f"Kept {n}", text="kept " * 300) for n in range(20, 40)))

    await deletion(app, alice, owner)

    assert left(settings) == []
    assert left(settings, "kept kept") == ["site.db"]


@pytest.mark.parametrize("way", ["statement", "object", "transaction"])
async def test_whichever_way_code_deletes(app: Quart, settings: Settings, way: str) -> None:
    database: Database = app.extensions["database"]
    account = Account(email=f"{MARK}@example.org", timezone="UTC", created_at=datetime.now(UTC))
    await add(app, account)
    assert left(settings)

    if way == "transaction":
        async with database.transaction() as db:
            await db.execute(delete(Account))
    else:
        async with database.session() as db:
            await (db.execute(delete(Account)) if way == "statement" else db.delete(account))
            await db.commit()

    assert left(settings) == []


async def test_who_reads_meanwhile_holds_up_no_page_and_the_hour_s_round_empties_the_log(
    app: Quart, settings: Settings
) -> None:
    """A back-up, say, that reads for a long time."""
    database: Database = app.extensions["database"]
    await add(app, Account(email=f"{MARK}@example.org", timezone="UTC", created_at=datetime.now(UTC)))
    reader = sqlite3.connect(settings.data_dir / "site.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM account").fetchall()

    async with database.session() as db:
        await db.execute(delete(Account))
        await db.commit()
    assert not await empty_log(database.engine)
    await add(app, Post(title="Others", text="write meanwhile"))
    reader.close()
    async with app.app_context():
        await retention.erase_old()

    assert left(settings) == []


async def test_a_deletion_that_is_taken_back_deletes_nothing(app: Quart, settings: Settings) -> None:
    database: Database = app.extensions["database"]
    await add(app, Account(email=f"{MARK}@example.org", timezone="UTC", created_at=datetime.now(UTC)))

    async with database.session() as db:
        await db.execute(delete(Account))
        await db.rollback()
        await db.commit()

    assert left(settings)

"""An import: one confirmation mail to each address that the site did not know, at its pace, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, update
from werkzeug.datastructures import FileStorage

from app.database import Database
from app.subscribers import delivery, importing, reading, states
from app.subscribers.models import Import, State, Subscriber
from app.subscribers.tasks import send_overdue
from settings import Settings
from tests.app.killing import killed_at_each_line, start_worker
from tests.app.visitor import Visitor
from tests.smtp_server import SmtpServer
from tests.waiting import wait_until

AT_ONCE = 4
"""Confirmations: see docs/mail.md."""
BOTH = pytest.mark.both_databases("of several at once one wins")


async def upload(person: Visitor, content: str | bytes, **form: str) -> int:
    """Choose this file on the page, and send it."""
    await person.get("/subscribers/import")
    body = content.encode() if isinstance(content, str) else content
    file = FileStorage(io.BytesIO(body), filename="list.csv", content_type="text/csv")
    form = {"csrf_token": person.token()} | form
    response = await person.client.post("/subscribers/import", form=form, files={"file": file})
    person.text = await response.get_data(as_text=True)
    return response.status_code


async def stored(database: Database) -> dict[str, Subscriber]:
    async with database.session() as db:
        return {one.email: one for one in await db.scalars(select(Subscriber))}


@pytest.fixture
def database(app: Quart) -> Database:
    found: Database = app.extensions["database"]
    return found


@BOTH
async def test_only_addresses_that_the_site_does_not_know_are_asked(
    app: Quart, owner: Visitor, database: Database
) -> None:
    """Not who left, cannot be reached, was asked or is subscribed, and nobody twice."""
    async with database.session() as db:
        db.add_all(Subscriber(email=f"{state}@example.org", state=state) for state in State)
        await db.commit()
    known = [f"{state}@example.org" for state in State]

    status = await upload(owner, "\n".join(["email", *known, "new@example.org", "NEW@example.org", "bad"]))

    assert status == 200
    assert owner.marks.counts == {"added": 1, "known": 4, "repeated": 1}
    assert owner.marks.errors == ["not-an-address"]
    rows = await stored(database)
    assert len(rows) == 5
    assert [one.email for one in rows.values() if one.import_id] == ["new@example.org"]
    assert {rows[f"{state}@example.org"].state for state in State} == set(State)

    assert await upload(owner, "new@example.org") == 303
    await owner.get("/subscribers/imports/2")
    assert owner.marks.notices == ["imported"]
    assert owner.marks.counts == {"added": 0}
    assert "No email is sent" in owner.text


async def test_a_check_changes_nothing(owner: Visitor, database: Database) -> None:
    assert await upload(owner, "a@example.org\nbad", check="1") == 200

    assert owner.marks.states[0] == "checked"
    assert owner.marks.counts == {"addresses": 1}
    assert owner.marks.errors == ["not-an-address"]
    assert await stored(database) == {}


@pytest.mark.parametrize("content", ["", "name\nAnn", b"PK\x03\x04\x00"])
async def test_a_file_without_addresses_is_refused_with_a_sentence(owner: Visitor, content: str | bytes) -> None:
    assert await upload(owner, content) == 400
    assert len(owner.marks.errors) == 1


async def test_a_file_that_is_too_large_is_refused(owner: Visitor) -> None:
    """And other forms still take none: the body of each has the usual limit."""
    assert await upload(owner, b"x" * reading.MOST_BYTES) == 413
    file = FileStorage(io.BytesIO(b"x"), filename="x.csv")
    form = {"csrf_token": owner.token()}
    answer = await owner.client.post("/digest/opening", form=form, files={"file": file})
    assert answer.status_code == 400


@BOTH
async def test_a_visitor_who_asks_meanwhile_is_mailed_at_once_and_once(app: Quart, database: Database) -> None:
    async with database.transaction() as db:
        await importing.add(db, ["a@example.org"])
    async with database.transaction() as db:
        assert await states.ask(db, "a@example.org")

    async with app.app_context():
        assert await delivery.overdue() == [], "the page sends its mail"


@BOTH
async def test_a_worker_of_the_version_before_imports_sees_none_that_waits(app: Quart, database: Database) -> None:
    """It would mail 500 a minute, and links that do not work, because it sets no `asked_at`."""
    async with database.transaction() as db:
        await importing.add(db, ["a@example.org"])

    async with database.session() as db:
        of_that_version = select(Subscriber.email).where(Subscriber.mail_due_at <= datetime.now(UTC))
        assert list(await db.scalars(of_that_version)) == []
    async with app.app_context():
        [asked] = await delivery.overdue()
    assert None not in (asked.asked_at, asked.mail_due_at)


@BOTH
async def test_two_imports_and_a_visitor_at_one_moment_make_one_row_each(database: Database) -> None:
    emails = [f"r{n}@example.org" for n in range(50)]

    async def visit() -> None:
        async with database.transaction() as db:
            await states.ask(db, emails[7])

    async def add(addresses: list[str]) -> int:
        async with database.transaction() as db:
            return (await importing.add(db, addresses)).added

    first, second, _ = await asyncio.gather(add(emails), add(emails[::-1]), visit())

    assert first + second in (49, 50)
    assert len(await stored(database)) == 50


@BOTH
async def test_so_many_are_asked_each_minute_and_visitors_do_not_wait_for_them(app: Quart, database: Database) -> None:
    emails = [f"r{n:03}@example.org" for n in range(40)]
    async with app.app_context():
        async with database.transaction() as db:
            await importing.add(db, emails)
            visitor = await states.ask(db, "visitor@example.org")
            assert visitor is not None
            visitor.mail_due_at = datetime.now(UTC)

        asked = [[one.email for one in await delivery.overdue()] for _ in range(4)]

    assert [sorted(some) for some in asked] == [[*emails[:16], "visitor@example.org"], emails[16:32], emails[32:], []]


async def test_its_page_shows_how_far_it_is_and_stops_it(app: Quart, owner: Visitor, database: Database) -> None:
    await upload(owner, "\n".join(f"r{n:03}@example.org" for n in range(20)))
    async with app.app_context():
        await delivery.overdue()
    async with database.transaction() as db:
        states.confirm(db, await db.get_one(Subscriber, 1))
        await db.delete(await db.get_one(Subscriber, 2))

    await owner.get("/subscribers/imports/1")
    assert owner.marks.counts == {"added": 20, "waiting": 4, "asked": 14, "confirmed": 1, "deleted": 1}
    await owner.get("/subscribers/imports/1/stop")
    assert owner.marks.counts == {"waiting": 4}
    await owner.post("/subscribers/imports/1/stop", page="/subscribers/imports/1/stop")
    await owner.get("/subscribers/imports/1")
    assert owner.marks.notices == ["import-stopped"]
    assert owner.marks.counts == {"added": 20, "asked": 14, "confirmed": 1, "deleted": 5, "stopped": 4}
    assert '<progress max="20" value="16"' in owner.text
    assert (await owner.get("/subscribers/imports/1/stop")).location == "/subscribers/imports/1"
    await owner.get("/subscribers/import")
    assert "/subscribers/imports/1" in owner.text


async def test_who_was_not_mailed_yet_is_shown_as_waiting(app: Quart, owner: Visitor) -> None:
    """Not as asked: in the list, its counts and filters, on its page and in the export."""
    await upload(owner, "\n".join(f"r{n:03}@example.org" for n in range(20)))
    async with app.app_context():
        await delivery.overdue()

    await owner.get("/subscribers?state=waiting")
    counts = dict(re.findall(r'data-filter="(\w+)" data-count="(\d+)"', owner.text))
    assert (counts["all"], counts["waiting"], counts["asked"]) == ("20", "4", "16")
    assert owner.text.count('<span class="badge " data-state="waiting">') == 4
    for state, count in (("waiting", 4), ("asked", 16)):
        await owner.post("/subscribers/export", page="/subscribers", state=state)
        rows = list(csv.DictReader(io.StringIO(owner.text, newline="")))
        assert [row["state"] for row in rows] == [state] * count
        assert {bool(row["asked_at"]) for row in rows} == {state == "asked"}


@BOTH
async def test_who_was_deleted_or_did_not_answer_is_not_asked_by_the_next_import(
    app: Quart, owner: Visitor, database: Database
) -> None:
    """But may ask by the form."""
    await upload(owner, "left@example.org\nsilent@example.org\n")
    async with app.app_context(), database.transaction() as db:
        await states.forget(db, await db.get_one(Subscriber, 1))
        await db.execute(update(Subscriber).values(asked_at=datetime.now(UTC) - timedelta(days=30)))
        await db.flush()
        assert await states.delete_unconfirmed(db, datetime.now(UTC) - timedelta(days=7)) == 1
    assert await stored(database) == {}

    await upload(owner, "left@example.org\nsilent@example.org\nnew@example.org\n")

    async with database.session() as db:
        one = await db.get_one(Import, 2)
    assert (one.added, one.known) == (1, 2)
    assert set(await stored(database)) == {"new@example.org"}
    async with database.transaction() as db:
        assert await states.ask(db, "left@example.org") is not None


@BOTH
async def test_what_waits_its_turn_is_not_deleted_as_unconfirmed(app: Quart, database: Database) -> None:
    async with database.transaction() as db:
        await importing.add(db, ["waits@example.org", "asked@example.org"])
        long_ago = datetime.now(UTC) - timedelta(days=30)
        await db.execute(update(Subscriber).values(created_at=long_ago))
        await db.execute(update(Subscriber).where(Subscriber.email == "asked@example.org").values(asked_at=long_ago))

    async with app.app_context(), database.transaction() as db:
        assert await states.delete_unconfirmed(db, datetime.now(UTC) - timedelta(days=7)) == 1

    assert set(await stored(database)) == {"waits@example.org"}


@pytest.mark.timeout(120)
async def test_a_file_of_10_000_is_imported_and_a_killed_worker_asks_nobody_twice(
    app: Quart, owner: Visitor, settings: Settings, database: Database, smtp: SmtpServer, redis: Redis
) -> None:
    """The real page, workers and SMTP: the first worker is killed while it sends, and Redis loses all that it has."""
    lines = "".join(f"r{n}@example.org,Reader {n}\n" for n in range(10_000))
    began = time.monotonic()
    assert await upload(owner, "email,name\n" + lines) == 303
    print(f"10,000 addresses imported in {time.monotonic() - began:.2f} s")
    await owner.get("/subscribers/imports/1")
    assert owner.marks.counts == {"added": 10_000, "waiting": 10_000}

    smtp.delay_s = 0.02
    for least in (10, 60):
        worker = start_worker(settings, smtp.port)
        try:
            for _ in range(4):  # of four minutes
                await send_overdue.delay()
            await wait_until(lambda least=least: len(smtp.accepted) >= least, "some mails", timeout_s=40)
        finally:
            worker.kill()
            worker.wait()
        await redis.flushdb()  # the places of the dead worker too, which would else end after 15 s
        async with database.transaction() as db:  # time passes
            asked = Subscriber.mail_due_at.is_not(None), Subscriber.asked_at.is_not(None)
            await db.execute(update(Subscriber).where(*asked).values(mail_due_at=datetime(2026, 1, 1, tzinfo=UTC)))

    mailed = Counter(mail.recipients[0] for mail in smtp.accepted)
    assert set(mailed.values()) == {1}
    rows = (await stored(database)).values()
    claimed = {one.email for one in rows if one.asked_at and one.mail_due_at is None}
    assert set(mailed) <= claimed
    assert len(claimed - set(mailed)) <= 2 * AT_ONCE, "those that were just being sent"
    assert sum(one.asked_at is None for one in rows) >= 10_000 - 8 * delivery.IMPORTED_A_MINUTE


async def test_a_process_killed_at_any_line_imports_all_or_nothing(settings: Settings, database: Database) -> None:
    queries = [
        "SELECT count(*), count(import_id), count(mail_due_at), count(asked_at) FROM subscriber",
        "SELECT added, known FROM subscriber_import ORDER BY id",
    ]

    runs = await killed_at_each_line(settings, "app.subscribers.importing", "import_a_file", *queries)

    nothing, everything = [[[0, 0, 0, 0]], []], [[[3, 3, 0, 0]], [[3, 0]]]
    assert nothing in [run[1:] for run in runs]
    assert runs[-1][0] is False
    for run in runs:
        [counts], imports = run[1:]
        assert [counts] in (nothing[0], everything[0])
        assert sum(added for added, _ in imports) == counts[0]

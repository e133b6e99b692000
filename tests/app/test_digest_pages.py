"""The owner's pages of the digests: what they show, what their buttons do, and that nobody else gets there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, update

from app.blog import Post
from app.database import Database
from app.digest import choosing
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from jobs import Result
from jobs.monitor_site.web import moments
from tests.app.visitor import Visitor, words


@pytest.fixture
def database(app: Quart) -> Database:
    found: Database = app.extensions["database"]
    return found


async def fill(database: Database, readers: int = 3, posts: int = 2) -> None:
    async with database.session() as db:
        now = datetime.now(UTC)
        db.add_all(Post(title=f"Post {n} <b>", text="Words", published_at=now) for n in range(posts))
        confirmed = subscribers.State.CONFIRMED
        db.add_all(Subscriber(email=f"reader{n}@example.org", state=confirmed) for n in range(readers))
        await db.commit()


async def begun(app: Quart, **values: Any) -> int:
    """A digest for three readers, changed like this."""
    await fill(app.extensions["database"])
    async with app.app_context():
        pk = await choosing.begin("a run")
    assert pk is not None
    await change(app.extensions["database"], Digest, **values)
    return pk


async def change(database: Database, model: Any, *which: Any, **values: Any) -> None:
    if values:
        async with database.session() as db:
            await db.execute(update(model).where(*which).values(**values))
            await db.commit()


async def read(database: Database, pk: int) -> tuple[Digest, list[str]]:
    async with database.session() as db:
        steps = await db.scalars(select(Delivery.step).where(Delivery.digest_id == pk).order_by(Delivery.id))
        return await db.get_one(Digest, pk), list(steps)


@pytest.mark.parametrize("path", ["/digest/", "/digest/1", "/digest/1/html", "/digest/0/html", "/digest/0/preview"])
async def test_they_are_the_owner_s(app: Quart, alice: Visitor, visitor: Visitor, path: str) -> None:
    await begun(app)

    assert (await alice.get(path)).status_code == 403
    assert (await visitor.get(path)).status_code == 303


async def test_an_empty_site_says_so(owner: Visitor) -> None:
    await owner.get("/digest/")

    assert owner.marks.states == ["nothing-new", "empty"]
    assert "/digest/run" not in owner.marks.actions
    assert (await owner.get("/digest/1")).status_code == 404
    assert (await owner.get("/digest/1/html")).status_code == 404


async def test_the_next_one_is_counted_previewed_and_run(app: Quart, owner: Visitor, database: Database) -> None:
    await fill(database)
    await owner.get("/digest/")
    assert owner.marks.counts == {"new-posts": 2, "readers": 3}
    assert "/digest/run" in owner.marks.actions

    preview = await owner.get("/digest/0/html")
    assert "Post 0 &lt;b&gt;" in owner.text
    assert preview.headers["Content-Security-Policy"].startswith("sandbox ")
    assert preview.headers["X-Frame-Options"] == "SAMEORIGIN"

    response = await owner.post("/digest/run", typed="3")
    assert response.location == "/digest/1"
    await owner.get("/digest/1")
    assert owner.marks.notices == ["on-its-way"]
    assert "planned" in owner.marks.states
    assert "/digest/1/undo" in owner.marks.actions


async def test_nobody_is_mailed_before_the_owner_has_typed_how_many_they_are(
    app: Quart, owner: Visitor, database: Database, redis: Redis
) -> None:
    await fill(database, readers=1_234)

    for typed in ("", "1", "1235", "yes", "1234 OR 1", "１２３４"):
        response = await owner.post("/digest/run", typed=typed)
        assert response.status_code == 400
        assert owner.marks.counts == {"new-posts": 2, "readers": 1_234}
        assert owner.marks.errors == ["wrong-number"]
    asked = await owner.post("/monitor/schedule/run", page="/monitor/queues", name="weekly-digest")
    assert (asked.status_code, asked.location) == (303, "/digest/run")
    assert await redis.keys("*digest*") == []
    assert await digests(database) == []

    for _ in range(2):  # pressed twice
        await owner.post("/digest/run", typed=" 1,234 ")
    [digest] = await digests(database)
    assert digest.state == State.PLANNED
    waiting = await Result(digest.job_id).info()
    assert (waiting.state, waiting.attempts, waiting.due) == ("PENDING", 0, digest.next_try_at), "no retry"


async def digests(database: Database) -> list[Digest]:
    async with database.session() as db:
        return list(await db.scalars(select(Digest)))


async def test_it_asks_with_number_and_subject(owner: Visitor, database: Database) -> None:
    await fill(database, readers=2)

    await owner.get("/digest/run")

    assert "Send issue 1 now" in words(owner)
    assert "Weekly Digest: Post 1 <b>" in words(owner)


async def test_run_now_says_why_it_does_nothing(owner: Visitor, database: Database) -> None:
    await owner.post("/digest/run", page="/account")
    await owner.get("/digest/")
    assert owner.marks.notices == ["nothing-new"]

    await fill(database, readers=0)
    await owner.post("/digest/run", page="/account", typed="0")
    await owner.get("/digest/")
    assert owner.marks.notices == ["no-readers"]


async def test_what_is_planned_can_be_undone_wherever_it_is_shown(owner: Visitor, database: Database) -> None:
    await fill(database)
    await owner.post("/digest/run", typed="3")
    [planned] = await digests(database)
    until = f"Undo (until {moments.clock(planned.next_try_at, ZoneInfo('Europe/Berlin'))})"
    for page in ("/", "/digest/", "/digest/1"):
        await owner.get(page)
        assert until in words(owner), page
        assert "/digest/1/undo" in owner.marks.actions
    assert (await owner.get("/digest/run")).location == "/digest/1"
    await owner.get("/digest/1")
    assert owner.marks.notices == ["planned-already"]

    response = await owner.post("/digest/1/undo", page="/", back="home")

    assert response.location == "/"
    assert await digests(database) == []


async def test_what_comes_with_the_sending_is_in_the_part_that_refreshes_itself(
    app: Quart, owner: Visitor, database: Database
) -> None:
    pk = await begun(app)
    await change(database, Digest, Digest.id == pk, number=1)

    await owner.get(f"/digest/{pk}")

    live = owner.text.partition('<section id="digest"')[2].partition("</section>")[0]
    for link in ("/issues/1", f"/monitor/job?id=digest%3A{pk}", f"/monitor/workflow?id=digest%3A{pk}%3A0"):
        assert f'href="{link}"' in live
    assert "get the current text" in live
    await change(database, Delivery, step=Step.SENT)
    await owner.get(f"/digest/{pk}")
    assert "get the current text" not in owner.text


async def test_a_first_digest_has_a_date_and_needs_a_reader(owner: Visitor, database: Database) -> None:
    await fill(database, readers=0)
    await owner.get("/digest/")
    assert "if there are by then" in words(owner)
    assert "/digest/run" not in owner.marks.actions

    await fill(database, readers=1, posts=0)
    await owner.get("/digest/?test=1")
    assert "if there are by then" not in words(owner)
    assert "/digest/run" in owner.marks.actions
    assert "link-of-a-test" in owner.marks.states


async def test_its_page_counts_each_state_and_shows_what_went_wrong(
    app: Quart, owner: Visitor, database: Database
) -> None:
    pk = await begun(app, state=State.DONE)
    await change(database, Delivery, Delivery.id == 1, step=Step.SENT)
    await change(database, Delivery, Delivery.id == 2, step=Step.FAILED, reason="The mail server answered: 554 <no>")
    await change(database, Delivery, Delivery.id == 3, step=Step.UNCERTAIN, reason="May have arrived.")

    await owner.get(f"/digest/{pk}")

    assert owner.marks.counts == {"sent": 1, "failed": 1, "uncertain": 1}
    assert "reader1@example.org" in owner.text
    assert "554 &lt;no&gt;" in owner.text
    assert buttons(owner) == {"retry": "1", "sent": "1", "again": "1"}


async def test_a_forgotten_subscriber_has_no_address(app: Quart, owner: Visitor, database: Database) -> None:
    pk = await begun(app, state=State.DONE)
    await change(database, Delivery, Delivery.id == 1, step=Step.FAILED, subscriber_id=None)

    await owner.get(f"/digest/{pk}")

    assert "(address deleted)" in owner.text
    assert buttons(owner) == {}


@pytest.mark.parametrize(
    ("before", "steps", "action", "code", "after", "then"),
    [
        (State.PLANNED, "waiting", "now", "begun", State.SENDING, "waiting"),
        (State.SENDING, "waiting", "pause", "paused", State.PAUSED, "waiting"),
        (State.PAUSED, "waiting", "resume", "resumed", State.SENDING, "waiting"),
        (State.PAUSED, "waiting", "stop", "stopped", State.STOPPED, "left"),
        (State.DONE, "failed", "retry", "retried", State.SENDING, "waiting"),
        (State.DONE, "uncertain", "sent", "marked-sent", State.DONE, "sent"),
        (State.DONE, "uncertain", "again", "sent-again", State.SENDING, "waiting"),
    ],
)  # fmt: skip
@pytest.mark.both_databases("the database counts the rows that a statement touched")
async def test_each_button_says_how_many_it_touched(
    app: Quart, owner: Visitor, database: Database, before: str, steps: str, action: str, code: str, after: str,
    then: str,
) -> None:  # fmt: skip
    pk = await begun(app, state=before)
    await change(database, Delivery, step=steps)
    await owner.get(f"/digest/{pk}")
    assert buttons(owner)[action] == "3"

    await owner.post(f"/digest/{pk}/{action}", page=f"/digest/{pk}")

    await owner.get(f"/digest/{pk}")
    assert owner.marks.notices == [code]
    assert "3 emails" in owner.text
    digest, found = await read(database, pk)
    assert (digest.state, found) == (after, [then] * 3)
    going = await Result(digest.job_id).state() == "PENDING"
    assert going == (after == State.SENDING)


@pytest.mark.parametrize("action", ["now", "pause", "resume", "stop", "retry", "sent", "again", "seen", "test", "undo"])
async def test_only_a_form_acts_and_only_the_owner_s(
    app: Quart, owner: Visitor, alice: Visitor, database: Database, action: str
) -> None:
    pk = await begun(app, state=State.PAUSED, reason="Something.")

    assert (await owner.get(f"/digest/{pk}/{action}")).status_code == 405
    assert (await alice.post(f"/digest/{pk}/{action}", page="/account")).status_code == 403
    assert (await read(database, pk))[0].state == State.PAUSED


async def test_what_needs_the_owner_is_on_every_page_of_theirs(
    app: Quart, owner: Visitor, alice: Visitor, visitor: Visitor
) -> None:
    pk = await begun(app, state=State.PAUSED, reason="The mail server answered: 535 5.7.8 no")

    for path in ("/", "/account", "/reminders/", f"/digest/{pk}", "/nowhere"):
        await owner.get(path)
        assert "digest-trouble" in owner.marks.states, path
        assert "535 5.7.8 no" in owner.text, path
    for other in (alice, visitor):
        await other.get("/")
        assert "digest-trouble" not in other.marks.states

    await owner.post(f"/digest/{pk}/seen", page="/account")
    await owner.get("/account")
    assert "digest-trouble" not in owner.marks.states


async def test_a_test_mail_is_put_on_its_way(app: Quart, owner: Visitor) -> None:
    pk = await begun(app)

    await owner.post(f"/digest/{pk}/test", page=f"/digest/{pk}")

    await owner.get(f"/digest/{pk}")
    assert owner.marks.notices == ["test-sent"]


def buttons(visitor: Visitor) -> dict[str, str]:
    """Action and number of the buttons that say how many mails they touch."""
    found = re.findall(r'action="/digest/\d+/(\w+)">.*?\((\d+) emails?\)</button>', visitor.text)
    return dict(found)

"""A digest as an issue: its number, subject, opening text, and the page that everybody may read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart
from sqlalchemy import Connection, select, text

from app.blog import Post
from app.database import Database
from app.digest import choosing, issues, upcoming
from app.digest.models import Digest, NextIssue, State
from app.mail.message import compose, to_bytes
from app.migrations import config
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber
from settings import Settings
from tests.app.digests import DigestSite, digest_site
from tests.app.visitor import Visitor, words

BEFORE = "0007"
"""The last revision without numbers."""


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        yield here


async def numbers(site: DigestSite) -> list[int | None]:
    async with site.database.session() as db:
        return list(await db.scalars(select(Digest.number).order_by(Digest.number)))


@pytest.mark.both_databases("of several at once one wins")
async def test_numbers_have_no_gap_however_many_begin_at_one_moment(site: DigestSite) -> None:
    """Also if each is begun by several workers, and some were created by a release that knew no numbers."""
    async with site.database.session() as db:
        db.add_all(Digest(run=f"run {n}") for n in range(8))
        await db.commit()

    await asyncio.gather(*(site.round(pk) for pk in [*range(1, 9)] * 3))

    assert await numbers(site) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_an_issue_without_recipients_takes_neither_number_nor_opening(site: DigestSite) -> None:
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Hello")
    assert await choosing.begin("nothing new") is None

    await site.publish("One")
    await site.subscribe()
    pk = await site.begin()
    await site.publish("Two")
    second = await site.begin("second")

    assert (await site.digest(pk)).opening == "Hello"
    assert (await site.digest(second)).opening == "", "used once"


@pytest.mark.both_databases("of several at once one wins")
async def test_an_opening_is_used_by_one_of_many_runs_and_a_rerun_keeps_it(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("One")
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Hello")

    found = await asyncio.gather(*(choosing.begin(f"run {n % 3}") for n in range(9)))

    [pk] = {pk for pk in found if pk is not None}
    assert (await site.digest(pk)).opening == "Hello"
    async with site.database.session() as db:
        assert await upcoming.opening(db) == ""
        assert len((await db.scalars(select(NextIssue))).all()) == 1


async def test_the_mail_has_number_date_opening_and_a_link_to_its_page(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("One", "Two")
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Hello <b>you</b>.\nSecond line.\n\n\nשלום")

    await site.round(await site.begin())

    [mail] = site.smtp.accepted
    plain, html = (mail.message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    page = f"{site.app.extensions['settings'].base_url}/issues/1"
    today = f"{datetime.now(UTC):%-d %B %Y}"
    assert mail.message["Subject"] == "Weekly Digest: One"
    beginning = f"Weekly Digest of Quarq\nIssue 1 · {today}\nView in browser: {page}\n\n"
    said = plain.get_content().replace("\r\n", "\n")
    assert said.startswith(beginning + "Hello <b>you</b>.\nSecond line.\n\nשלום\n\n\nOne\n")
    assert f'href="{page}"' in html.get_content()
    assert "Hello &lt;b&gt;you&lt;/b&gt;.\nSecond line.</p>" in html.get_content().replace("\r\n", "\n")


@given(st.text(max_size=200))
def test_every_title_makes_a_subject_that_is_safe_in_a_header(title: str) -> None:
    """And is read by mail programs as it was meant."""
    subject = issues.subject(Post(title=title, text="").title)

    wire = to_bytes(compose(sender="a@example.org", to="b@example.org", subject=subject, text=""))

    assert subject.startswith("Weekly Digest")
    assert len(subject) <= 100
    assert message_from_bytes(wire, policy=policy.default)["Subject"] == subject


async def fill(app: Quart, *titles: str, **values: object) -> None:
    """One digest of these posts for one reader, whose sending has begun as issue 1."""
    now = datetime.now(UTC)
    posts = [Post(title=title, text="Words", published_at=now - timedelta(minutes=n)) for n, title in enumerate(titles)]
    async with app.extensions["database"].session() as db:
        db.add_all([*posts, Subscriber(email="reader@example.org", state=SubscriberState.CONFIRMED)])
        await db.commit()
    async with app.app_context():
        pk = await choosing.begin("a run")
    async with app.extensions["database"].session() as db:
        digest = await db.get_one(Digest, pk)
        for name, value in values.items():
            setattr(digest, name, value)
        await db.commit()


@pytest.mark.parametrize("state", list(State))
async def test_everybody_reads_an_issue_that_has_begun(app: Quart, visitor: Visitor, state: State) -> None:
    await fill(app, "One <b>", "Two", number=1, state=state, opening="Dear\nreaders")

    assert (await visitor.get("/issues/1")).status_code == 200

    assert visitor.marks.counts == {"issue": 1}
    for said in ("One <b>", "Two", "Dear readers", f"{datetime.now(UTC):%-d %B %Y}"):
        assert said in words(visitor)
    assert "reader@example.org" not in visitor.text
    assert (await visitor.get("/issues/2")).status_code == 404
    await visitor.get("/issues/")
    assert "/issues/1" in visitor.text


async def test_the_subject_of_an_ended_issue_is_the_one_that_was_sent(site: DigestSite) -> None:
    """Also after its first post was unpublished. Until it ends, the remaining readers get that of the present posts."""
    await site.publish("One", "Two")
    await site.subscribe()
    pk = await site.begin()

    async def subject(after: str) -> str:
        await site.change(Post, Post.title == after, published_at=None)
        async with site.database.session() as db:
            return (await issues.of(db, await db.get_one(Digest, pk))).subject

    assert await subject("One") == "Weekly Digest: Two"
    await site.round(pk)
    assert site.smtp.accepted
    assert await subject("Two") == "Weekly Digest: Two"


async def test_what_has_not_begun_is_not_public(app: Quart, visitor: Visitor) -> None:
    await fill(app, "One", number=None)

    for path in ("/issues/0", "/issues/1"):
        assert (await visitor.get(path)).status_code == 404
    await visitor.get("/issues/")
    assert visitor.marks.states == ["empty"]
    await visitor.get("/feed.atom")
    assert "/issues/" not in visitor.text


async def test_a_post_that_was_unpublished_is_only_counted(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    await fill(app, "Stays", "Goes", number=1)
    await owner.post("/posts/2/withdraw", page="/posts/2/edit")

    await visitor.get("/issues/1")

    assert "Goes" not in visitor.text
    assert visitor.marks.counts == {"issue": 1, "withdrawn": 1}
    for path in ("/issues/", "/feed.atom"):
        await visitor.get(path)
        assert "Stays" in visitor.text
        assert "Goes" not in visitor.text


async def test_issues_are_in_the_feed(app: Quart, visitor: Visitor) -> None:
    await fill(app, "One", "Two", number=1)

    await visitor.get("/feed.atom")

    assert "<title>Issue 1 · Weekly Digest: One</title>" in visitor.text
    assert f'<link href="{visitor.settings.base_url}/issues/1"/>' in visitor.text
    assert "<summary>One · Two</summary>" in visitor.text


async def test_an_opening_is_saved_shown_in_the_preview_and_limited(app: Quart, owner: Visitor) -> None:
    await fill(app, "One", number=1)

    await owner.post("/digest/opening", page="/digest/", opening=" Dear\r\nreaders\x07 ")
    await owner.get("/digest/")
    assert owner.marks.notices == ["saved"]
    assert "Dear\nreaders</textarea>" in owner.text
    for look in ("mail", "phone", "text", "nonsense"):
        await owner.get(f"/digest/0/preview?as={look}")
        assert owner.marks.states == [look if look != "nonsense" else "mail"]
    await owner.get("/digest/0/html")
    assert "Dear\nreaders</p>" in owner.text
    await owner.get("/digest/0/preview?as=text")
    assert "Dear\nreaders" in owner.text
    assert ".invalid/" not in owner.text

    answer = await owner.post("/digest/opening", page="/digest/", opening="x" * 2_001)
    assert answer.status_code == 400
    assert owner.marks.errors == ["too-long"]
    assert "x" * 2_001 in owner.text, "nothing that was typed is lost"


@pytest.mark.both_databases("each writes its own SQL")
async def test_digests_of_the_release_before_are_numbered_by_age(database: Database, settings: Settings) -> None:
    """And a worker of that release, which knows no number, may still create one."""
    columns = "run, state, reason, more, created_at, began_at, round, failures, next_try_at"
    at = "'2026-01-01 00:00:00+00:00'"

    def of_before(connection: Connection) -> None:
        command.downgrade(config(connection), BEFORE)
        for n in range(4):
            insert(connection, n)
        connection.execute(text("DELETE FROM digest WHERE run = 'run 1'"))
        command.upgrade(config(connection), "head")
        insert(connection, 4)

    def insert(connection: Connection, n: int) -> None:
        values = f"VALUES ('run {n}', 'done', '', 0, {at}, {at}, 0, 0, {at})"
        connection.execute(text(f"INSERT INTO digest ({columns}) {values}"))

    async with database.writer.begin() as connection:
        await connection.run_sync(of_before)

    async with database.session() as db:
        found = await db.execute(select(Digest.run, Digest.number, Digest.opening).order_by(Digest.id))
        assert [tuple(row) for row in found] == [
            ("run 0", 1, ""), ("run 2", 2, ""), ("run 3", 3, ""), ("run 4", None, "")
        ]  # fmt: skip

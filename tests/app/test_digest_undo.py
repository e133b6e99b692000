"""A run that the owner undoes: no mail leaves afterwards. One that has begun cannot be undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from sqlalchemy import func, select

from app.blog import Post
from app.database import Database
from app.digest import choosing, recovery, rounds, steering, upcoming
from app.digest.models import Delivery, Digest, DigestPost, State, Step
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from jobs import Result
from settings import Settings
from tests.app.digests import DigestSite, digest_site
from tests.app.killing import killed_at_each_line
from tests.app.visitor import Visitor
from tests.app.working import working
from tests.smtp_server import SmtpServer, mailing
from tests.waiting import wait_until

BOTH = pytest.mark.both_databases("of several at once one wins")
LATER = timedelta(seconds=30)


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        await here.publish("One")
        await here.subscribe(3)
        yield here


async def plan(site: DigestSite, run: str = "a run") -> int:
    pk = await choosing.begin(run, wait=LATER)
    assert pk is not None
    return pk


async def undo(site: DigestSite, pk: int) -> bool:
    async with site.database.transaction() as db:
        digest = await db.get_one(Digest, pk, with_for_update=True)
        return await steering.undo(db, digest)


async def rows(site: DigestSite) -> list[int]:
    async with site.database.session() as db:
        return [
            await db.scalar(select(func.count()).select_from(model)) or 0 for model in (Digest, DigestPost, Delivery)
        ]


async def its_time_comes(site: DigestSite, pk: int) -> None:
    await site.change(Digest, Digest.id == pk, next_try_at=datetime.now(UTC))


@BOTH
async def test_nothing_leaves_before_its_time(site: DigestSite) -> None:
    pk = await plan(site)

    wait = await site.round(pk)

    assert wait is not None
    assert timedelta(seconds=25) < wait <= LATER
    assert not site.smtp.accepted
    digest = await site.digest(pk)
    assert (digest.state, digest.number, digest.round) == (State.PLANNED, None, 0)

    await its_time_comes(site, pk)
    assert await site.round(pk) is None
    assert len(site.mailed) == 3
    digest = await site.digest(pk)
    assert (digest.state, digest.number) == (State.DONE, 1)


@pytest.mark.parametrize("due", [False, True])
@BOTH
async def test_what_is_undone_leaves_nothing_and_is_in_the_next_one(site: DigestSite, due: bool) -> None:
    """Also after its time, while no worker has begun it: nothing has left."""
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Hello")
    pk = await plan(site)
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Written meanwhile")
    if due:
        await its_time_comes(site, pk)

    assert await undo(site, pk)

    assert await site.round(pk) is None, "its job finds nothing"
    assert await rows(site) == [0, 0, 0]
    assert not site.smtp.accepted
    again = await site.begin("the next one")
    await site.round(again)
    assert len(site.mailed) == 3
    digest = await site.digest(again)
    assert (digest.number, digest.opening) == (1, "Hello\n\nWritten meanwhile"), "no gap, and no text is lost"


@pytest.mark.parametrize("state", [State.SENDING, State.DONE])
@BOTH
async def test_what_a_worker_of_the_version_before_numbers_sends_gets_one(site: DigestSite, state: State) -> None:
    """In the process that begins it; what that version has begun itself gets one later, in its order."""
    pk = await plan(site)
    async with site.database.transaction() as db:
        await steering.begin_now(db, await db.get_one(Digest, pk, with_for_update=True))
    assert (await site.digest(pk)).number == 1
    for title in ("Two", "Three"):
        await site.publish(title)
        older = await site.begin(title)
        await site.change(Digest, Digest.id == older, state=state)
    await site.publish("Four")
    await plan(site, "not begun")

    await recovery.number_begun()
    await recovery.number_begun()

    async with site.database.session() as db:
        assert list(await db.scalars(select(Digest.number).order_by(Digest.id))) == [1, 2, 3, None]


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
@BOTH
async def test_what_has_begun_cannot_be_undone(site: DigestSite, steps: int) -> None:
    """Begun by a worker; in transfer; sent to one; done."""
    pk = await plan(site)
    await its_time_comes(site, pk)
    await rounds.next_round(pk)
    if steps == 1:
        await site.change(Delivery, Delivery.id == 1, step=Step.SENDING)
    if steps == 2:
        await site.change(Delivery, Delivery.id == 1, step=Step.SENT)
    if steps == 3:
        await site.round(pk)

    assert not await undo(site, pk)

    assert (await rows(site))[0] == 1


@pytest.mark.parametrize("first", range(4))
@BOTH
async def test_of_undo_and_begin_at_one_moment_one_wins(site: DigestSite, first: int) -> None:
    pk = await plan(site)
    await its_time_comes(site, pk)
    doing = [site.round(pk), undo(site, pk), site.round(pk), undo(site, pk)]

    results = await asyncio.gather(*doing[first:], *doing[:first], return_exceptions=True)

    undone = True in results
    assert (await rows(site))[0] == (not undone)
    assert len(site.mailed) == (0 if undone else 3)
    assert max(site.mailed.values(), default=1) == 1


@BOTH
async def test_numbers_stay_without_gap_if_another_begins_before_the_undo(site: DigestSite) -> None:
    planned = await plan(site)
    await site.publish("Two")
    saturday = await site.begin("saturday")
    await site.round(saturday)

    assert await undo(site, planned)
    await site.round(await site.begin("the next one"))

    async with site.database.session() as db:
        assert list(await db.scalars(select(Digest.number).order_by(Digest.id))) == [1, 2]


async def fill(app: Quart) -> None:
    async with app.extensions["database"].session() as db:
        db.add(Post(title="One", text="Words", published_at=datetime.now(UTC)))
        db.add(Subscriber(email="reader@example.org", state=subscribers.State.CONFIRMED))
        await db.commit()


async def test_the_page_undoes_it_and_its_job(app: Quart, owner: Visitor) -> None:
    await fill(app)
    await owner.post("/digest/run", typed="1")
    assert await Result("digest:1").state() == "PENDING"

    response = await owner.post("/digest/1/undo", page="/digest/1")

    assert response.location == "/digest/"
    await owner.get("/digest/")
    assert owner.marks.notices == ["undone"]
    assert owner.marks.counts["new-posts"] == 1
    assert await Result("digest:1").state() == "REVOKED"
    assert (await owner.get("/digest/1")).status_code == 404


async def test_the_page_says_that_it_is_too_late(app: Quart, owner: Visitor) -> None:
    await fill(app)
    await owner.post("/digest/run", typed="1")
    async with app.extensions["database"].transaction() as db:
        (await db.get_one(Digest, 1)).state = State.SENDING

    response = await owner.post("/digest/1/undo", page="/digest/1")

    assert response.location == "/digest/1"
    await owner.get("/digest/1")
    assert owner.marks.notices == ["too-late"]
    assert "/digest/1/undo" not in owner.marks.actions


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_crash_between_the_row_and_its_job_loses_nothing(
    settings: Settings, database: Database, smtp: SmtpServer, app: Quart
) -> None:
    """The web process died after the commit. Two workers that look at once find the row, and send it once."""
    await fill(app)
    async with app.app_context():
        pk = await choosing.begin("a run", wait=LATER)
    async with database.transaction() as db:
        (await db.get_one(Digest, pk)).next_try_at = datetime.now(UTC)

    real = mailing(settings, smtp)
    async with working(real), app.app_context():
        await asyncio.gather(recovery.sweep(), recovery.sweep())

        async def done() -> bool:
            async with database.session() as db:
                return await db.scalar(select(Digest.state)) == State.DONE

        await wait_until(done, "the digest to be done", timeout_s=20)

    assert len(smtp.accepted) == 1


async def test_a_process_killed_at_any_line_of_an_undo_leaves_it_planned_or_undone(
    site: DigestSite, settings: Settings
) -> None:
    async with site.database.transaction() as db:
        await upcoming.save_opening(db, "Hello")
    tables = ("digest", "digest_post", "delivery")
    queries = [f"SELECT count(*) FROM {table}" for table in tables]
    queries += ["SELECT opening FROM digest", "SELECT opening FROM next_issue"]

    runs = await killed_at_each_line(settings, "app.digest.steering", "plan_a_digest_and_undo_it", *queries)

    undone = [[[0]], [[0]], [[0]], [], [["Hello"]]]
    planned = [[[1]], [[1]], [[3]], [["Hello"]], [[""]]]
    assert runs[-1] == [False, *undone]
    assert runs[0] == [True, *planned]
    assert all(run[1:] in (undone, planned) for run in runs)

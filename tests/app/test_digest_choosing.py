"""Which posts a digest holds: each in one, none twice, whatever was published or committed when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.blog import Post
from app.database import Database
from app.digest import choosing, issues
from app.digest.models import Delivery, Digest, DigestPost
from app.subscribers.models import State
from settings import Settings
from tests.app.digests import DigestSite, digest_site

pytestmark = pytest.mark.both_databases("which posts a digest takes is decided in SQL")


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    async with digest_site(settings) as here:
        yield here


async def titles(site: DigestSite, pk: int) -> list[str]:
    async with site.database.session() as db:
        return [post.title for post in await issues.posts_of(db, await db.get_one(Digest, pk))]


async def test_it_holds_what_was_published_and_in_no_digest_yet(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("One")
    first = await site.begin("first")

    await site.publish("Three", "Two")
    await site.add(Post(title="Draft", text="x"))
    await site.publish("Later", ago=-timedelta(hours=1))
    second = await site.begin("second")

    assert await titles(site, first) == ["One"]
    assert await titles(site, second) == ["Three", "Two"]
    assert await choosing.begin("third") is None


async def test_a_post_committed_after_the_digest_is_in_the_next_one(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("In time")
    first = await site.begin("first")

    await site.publish("Published before it, committed after it", ago=timedelta(hours=2))
    second = await site.begin("second")

    assert await titles(site, first) == ["In time"]
    assert await titles(site, second) == ["Published before it, committed after it"]


async def test_the_first_one_takes_the_last_seven_days_and_the_second_nothing_older(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("Too old", ago=timedelta(days=7, minutes=1))
    assert await choosing.begin("nothing new") is None
    await site.publish("Six days", ago=timedelta(days=6))

    first = await site.begin("first")
    await site.publish("New")
    second = await site.begin("second")

    assert await titles(site, first) == ["Six days"]
    assert (await site.digest(first)).more == 0
    assert await titles(site, second) == ["New"]


async def test_of_more_than_twenty_it_shows_the_newest_and_takes_all(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish(*(f"Post {n}" for n in range(25)))

    pk = await site.begin()

    assert await titles(site, pk) == [f"Post {n}" for n in range(20)]
    assert (await site.digest(pk)).more == 5
    assert await choosing.begin("another") is None


async def test_there_is_none_without_posts_or_without_readers(site: DigestSite) -> None:
    await site.subscribe(state=State.ASKED)
    assert await choosing.begin("no posts") is None
    await site.publish("One")
    assert await choosing.begin("no readers") is None

    await site.subscribe()

    assert await titles(site, await site.begin("both")) == ["One"]


async def test_it_goes_to_those_who_have_confirmed(site: DigestSite) -> None:
    for state in State:
        await site.subscribe(2, state)
    await site.publish("One")

    pk = await site.begin()

    async with site.database.session() as db:
        ids = list(await db.scalars(select(Delivery.subscriber_id).where(Delivery.digest_id == pk)))
    assert ids == [3, 4]


async def test_the_same_run_finds_its_digest_again(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("One")

    assert await site.begin("a run") == await site.begin("a run")


async def test_runs_at_one_moment_share_no_post(site: DigestSite) -> None:
    await site.subscribe(3)
    await site.publish(*(f"Post {n}" for n in range(5)))

    made = await asyncio.gather(*(choosing.begin(f"run {n}") for n in range(20)))

    assert len(set(made) - {None}) == 1
    async with site.database.session() as db:
        assert len((await db.scalars(select(DigestPost.post_id))).all()) == 5
        assert len((await db.scalars(select(Delivery.id))).all()) == 3


async def test_a_post_taken_back_meanwhile_is_left_out_and_an_edit_is_shown(site: DigestSite) -> None:
    await site.subscribe()
    await site.publish("Stays", "Goes", "Is mended")
    pk = await site.begin()

    await site.change(Post, Post.title == "Goes", published_at=None)
    await site.change(Post, Post.title == "Is mended", title="Mended")

    assert await titles(site, pk) == ["Stays", "Mended"]

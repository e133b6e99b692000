"""What readers of the blog get: the list, each post, the feed; and what they do not get."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

import pytest
from quart import Quart
from sqlalchemy import insert, select

from app.blog import Post
from app.blog.rendering import render_here
from tests.app.harm import ATTACKS, Harm
from tests.app.visitor import Visitor

ATOM = "{http://www.w3.org/2005/Atom}"


async def publish(app: Quart, *titles: str, text: str = "Words", ago: timedelta = timedelta()) -> list[Post]:
    """Posts of these titles, each an hour older than the one before."""
    now = datetime.now(UTC) - ago
    posts = [
        Post(title=title, text=text, published_at=now - timedelta(hours=age), edited_at=now - timedelta(hours=age))
        for age, title in enumerate(titles)
    ]  # fmt: skip
    async with app.extensions["database"].session() as db:
        db.add_all(posts)
        await db.commit()
    return posts


async def all_posts(app: Quart) -> list[Post]:
    async with app.extensions["database"].session() as db:
        return list(await db.scalars(select(Post)))


async def read_feed(visitor: Visitor) -> ElementTree.Element:
    response = await visitor.get("/feed.atom")
    assert response.status_code == 200
    assert response.mimetype == "application/atom+xml"
    return ElementTree.fromstring(await response.get_data())


async def test_the_first_page_lists_what_is_published(app: Quart, visitor: Visitor) -> None:
    await visitor.get("/")
    assert visitor.marks.states == ["empty"]
    assert "/posts/samples" not in visitor.marks.actions

    await publish(app, "Newer one", "Older one", text="**Some** words " + "字" * 400)
    await publish(app, "Future one", ago=timedelta(hours=-1))
    await visitor.get("/")

    assert visitor.text.index("Newer one") < visitor.text.index("Older one")
    assert "Future one" not in visitor.text
    assert "Some words 字" in visitor.text
    assert "字…" in visitor.text


async def test_the_list_has_pages(app: Quart, visitor: Visitor) -> None:
    await publish(app, *(f"Post number {n}." for n in range(25)))
    seen: list[int] = []

    for page in (1, 2, 3):
        await visitor.get(f"/?page={page}")
        seen += [n for n in range(25) if f"Post number {n}." in visitor.text]
        assert ('rel="prev"' in visitor.text, 'rel="next"' in visitor.text) == (page > 1, page < 3)

    assert seen == list(range(25))
    assert (await visitor.get("/?page=4")).status_code == 404
    for odd in ("0", "-1", "x", "9" * 40, ""):
        assert (await visitor.get(f"/?page={odd}")).status_code in (200, 404)


async def test_posts_of_one_moment_stand_on_one_page_each(app: Quart, visitor: Visitor) -> None:
    async with app.extensions["database"].session() as db:
        now = datetime.now(UTC)
        db.add_all([Post(title=f"Twin {n}.", text="x", published_at=now) for n in range(20)])
        await db.commit()

    await visitor.get("/")
    first = {n for n in range(20) if f"Twin {n}." in visitor.text}
    await visitor.get("/?page=2")

    assert first | {n for n in range(20) if f"Twin {n}." in visitor.text} == set(range(20))


@pytest.mark.parametrize("title", ["Hello, World!", "给以后的自己写一封信", "🎉🎉", "كتاب جديد", "100 % / done?"])
async def test_a_post_is_at_its_address_only(app: Quart, visitor: Visitor, title: str) -> None:
    [post] = await publish(app, title)
    right = f"/posts/{post.id}" + (f"-{post.slug}" if post.slug else "")

    response = await visitor.get(quote(right))
    assert response.status_code == 200
    assert f'href="{app.extensions["settings"].base_url}{quote(right)}"' in visitor.text

    for wrong in {f"/posts/{post.id}", f"/posts/{post.id}-wrong", f"/posts/{post.id}-{post.slug}x"} - {right}:
        response = await visitor.get(quote(wrong))
        assert (response.status_code, unquote(response.location)) == (302, right)


@pytest.mark.both_databases("a unique constraint decides")
async def test_equal_titles_have_addresses_of_their_own(app: Quart, visitor: Visitor) -> None:
    first, second = await publish(app, "Same", "Same")

    assert first.slug == second.slug
    for post in (first, second):
        assert (await visitor.get(f"/posts/{post.id}-same")).status_code == 200


@pytest.mark.both_databases("each database numbers rows in its own way")
async def test_a_number_is_never_given_twice(app: Quart) -> None:
    """The address of a deleted post must not lead to another one."""
    [post] = await publish(app, "Gone")
    async with app.extensions["database"].session() as db:
        await db.delete(post)
        await db.commit()

    [after] = await publish(app, "New")

    assert after.id > post.id


async def test_what_is_not_published_is_not_there(app: Quart, visitor: Visitor, charlie: Visitor) -> None:
    [waiting] = await publish(app, "Waiting", ago=timedelta(days=-1))
    async with app.extensions["database"].session() as db:
        draft = Post(title="Draft", text="x")
        db.add(draft)
        await db.commit()

    for reader in (visitor, charlie):
        for path in (f"/posts/{waiting.id}-waiting", f"/posts/{draft.id}-draft", f"/posts/{draft.id}", "/posts/99-x"):
            assert (await reader.get(path)).status_code == 404
        assert len((await read_feed(reader)).findall(f"{ATOM}entry")) == 0
        await reader.get("/")
        assert "Waiting" not in reader.text
        assert "Draft" not in reader.text
    for path in ("/posts/", "/posts/x", "/posts/-1", "/posts/99999999999-x", "/posts/1-x/y", "/posts/1-\x00"):
        assert (await visitor.get(quote(path))).status_code == 404


async def test_a_post_that_waits_appears_at_its_moment(app: Quart, visitor: Visitor) -> None:
    """Without a worker: nothing but the clock has to happen."""
    [post] = await publish(app, "Soon", ago=timedelta(hours=-1))
    assert (await visitor.get(f"/posts/{post.id}-soon")).status_code == 404

    async with app.extensions["database"].session() as db:
        (await db.get_one(Post, post.id)).published_at = datetime.now(UTC)
        await db.commit()

    assert (await visitor.get(f"/posts/{post.id}-soon")).status_code == 200


async def test_a_post_leads_to_the_ones_before_and_after_it(app: Quart, visitor: Visitor, owner: Visitor) -> None:
    _, middle, _ = await publish(app, "Newer", "Middle", "Older")
    await publish(app, "Waits", ago=timedelta(hours=-1))
    async with app.extensions["database"].session() as db:
        at = middle.published_at
        db.add_all([Post(title="Twin", text="x", published_at=at), Post(title="Draft", text="x")])
        await db.commit()

    seen = {}
    for title in ("Newer", "Twin", "Middle", "Older", "Draft"):
        [pk] = [post.id for post in await all_posts(app) if post.title == title]
        await owner.get(f"/posts/{pk}-{title.lower()}")
        seen[title] = {rel: to for rel, to in re.findall(r'rel="(prev|next)" href="/posts/\d+-(\w+)"', owner.text)}

    assert seen == {
        "Newer": {"prev": "twin"},
        "Twin": {"next": "newer", "prev": "middle"},
        "Middle": {"next": "twin", "prev": "older"},
        "Older": {"next": "middle"},
        "Draft": {},
    }


async def test_pages_for_readers_set_no_cookie(app: Quart, visitor: Visitor) -> None:
    [post] = await publish(app, "Open")

    for path in ("/", f"/posts/{post.id}-open", "/feed.atom", "/about"):
        response = await visitor.get(path)
        assert response.status_code == 200
        assert "Set-Cookie" not in response.headers


async def test_pictures_from_elsewhere_are_allowed_in_posts_only(app: Quart, visitor: Visitor) -> None:
    [post] = await publish(app, "Seen")

    shown = await visitor.get(f"/posts/{post.id}-seen")
    listed = await visitor.get("/")

    assert "img-src 'self' https: data:" in shown.headers["Content-Security-Policy"]
    assert "https:" not in listed.headers["Content-Security-Policy"]
    assert "script-src 'self';" in shown.headers["Content-Security-Policy"]


async def test_the_feed_is_valid_atom_with_absolute_links(app: Quart, visitor: Visitor) -> None:
    """RFC 4287, 4.1: the elements that a feed and an entry must have, each once."""
    base = app.extensions["settings"].base_url
    posts = await publish(app, '给自己 <&> "1"', "🎉", text="[a](/about) ![p](p.png) <b> ]]> 字")

    feed = await read_feed(visitor)

    for part in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            [found] = part.findall(ATOM + name)
            assert found.text
        assert datetime.fromisoformat(part.findtext(f"{ATOM}updated", "")).tzinfo is not None
        for link in part.findall(f"{ATOM}link"):
            assert link.attrib["href"].startswith(base + "/")
            assert link.attrib["href"].isascii()
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    assert feed.find(f"{ATOM}link[@rel='self']").attrib["href"] == f"{base}/feed.atom"  # type: ignore[union-attr]
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [post.title for post in posts]
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 2
    body = entries[0].findtext(f"{ATOM}content") or ""
    assert f'href="{base}/about"' in body
    assert f'src="{base}/posts/p.png"' in body


async def test_an_edit_changes_updated_and_keeps_the_id(app: Quart, visitor: Visitor, owner: Visitor) -> None:
    [post] = await publish(app, "First", ago=timedelta(days=1))
    before = (await read_feed(visitor)).find(f"{ATOM}entry")

    await owner.post(f"/posts/{post.id}/edit", title="Second", text="New words")
    after = (await read_feed(visitor)).find(f"{ATOM}entry")

    assert before is not None
    assert after is not None
    assert after.findtext(f"{ATOM}id") == before.findtext(f"{ATOM}id")
    assert after.findtext(f"{ATOM}published") == before.findtext(f"{ATOM}published")
    assert after.findtext(f"{ATOM}updated", "") > before.findtext(f"{ATOM}updated", "")


async def test_a_reader_that_has_the_feed_gets_no_second_copy(app: Quart, visitor: Visitor) -> None:
    await publish(app, *(f"Post {n}" for n in range(25)))
    response = await visitor.get("/feed.atom")
    assert len(ElementTree.fromstring(visitor.text).findall(f"{ATOM}entry")) == 20

    again = await visitor.get("/feed.atom", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304

    await publish(app, "One more")
    changed = await visitor.get("/feed.atom", headers={"If-None-Match": response.headers["ETag"]})
    assert changed.status_code == 200


async def test_the_feed_is_whole_up_to_a_megabyte(app: Quart, visitor: Visitor) -> None:
    """Whatever was posted: anybody may ask for the feed as often as they like."""
    await publish(app, *(f"Post {n}" for n in range(20)), text=render_here("<" * 50_000))

    response = await visitor.get("/feed.atom")

    entries = ElementTree.fromstring(visitor.text).findall(f"{ATOM}entry")
    whole = [entry.find(f"{ATOM}content") is not None for entry in entries]
    assert whole == sorted(whole, reverse=True), "the newest are whole"
    assert (len(whole), whole[0], whole[-1]) == (20, True, False)
    assert all(entry.findtext(f"{ATOM}summary") for entry in entries)
    assert len(await response.get_data()) < 2_000_000


async def test_no_character_makes_the_feed_malformed(app: Quart, visitor: Visitor) -> None:
    """Every one that XML forbids, as a reference and as itself, also in a row of a release that let it through."""
    forbidden = [
        n for n in (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF) if n not in (9, 10)
    ]
    references = " ".join(f"&#{n};&#x{n:x};" for n in forbidden)
    text = f"{references}\n\n`{references}`\n\n[{references}](/x '{references}')\n\n    {references}\n"
    posts = await publish(app, references[:200], "".join(map(chr, forbidden[:200])) + "x", text=text)
    raw = "".join(chr(n) for n in forbidden if n and not 0xD800 <= n < 0xE000)[:200]  # what a database holds
    async with app.extensions["database"].session() as db:
        values = dict.fromkeys(("title", "text", "html", "beginning"), raw)
        values |= {"slug": "", "published_at": posts[0].published_at}
        await db.execute(insert(Post), [values])
        await db.commit()

    entries = (await read_feed(visitor)).findall(f"{ATOM}entry")

    assert sorted((entry.findtext(f"{ATOM}title") or "").strip() for entry in entries) == ["", posts[0].title, "x"]


async def test_an_empty_feed_is_a_feed(app: Quart, visitor: Visitor) -> None:
    assert (await read_feed(visitor)).findtext(f"{ATOM}updated")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_attack_in_title_or_text_reaches_a_reader(app: Quart, visitor: Visitor, attack: str) -> None:
    await visitor.get("/")
    harmless = Harm(visitor.text).found  # tags that pages have and posts may not
    [post] = await publish(app, attack, text=attack)

    for path in ("/", f"/posts/{post.id}" + (f"-{quote(post.slug)}" if post.slug else "")):
        await visitor.get(path)
        assert set(Harm(visitor.text).found) <= {*harmless, "article", "time", "datetime", "property"}, path
    for entry in (await read_feed(visitor)).findall(f"{ATOM}entry"):
        assert Harm(entry.findtext(f"{ATOM}content") or "").found == []
        assert entry.findtext(f"{ATOM}title") == post.title

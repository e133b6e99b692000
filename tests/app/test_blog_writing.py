"""What the owner does with posts, and nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from quart import Quart, Response
from sqlalchemy import select

from app.blog import Post
from app.blog.rendering import render, render_here
from tests.app.marks import Marks
from tests.app.visitor import Visitor

NEXT_YEAR = datetime.now(UTC).year + 1
PLANNED = f"{NEXT_YEAR}-01-01T10:00"


async def posts(app: Quart) -> list[Post]:
    async with app.extensions["database"].session() as db:
        return list(await db.scalars(select(Post).order_by(Post.id)))


async def write(visitor: Visitor, title: str = "A title", text: str = "Words", **more: str) -> Response:
    return await visitor.post("/posts/new", title=title, text=text, **more)


async def test_a_draft_is_the_owner_s_until_it_is_published(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    response = await write(owner)
    assert (response.status_code, response.location) == (303, "/posts/1-a-title")
    await owner.get("/posts/1-a-title")
    assert owner.marks.notices == ["draft"]
    assert (await visitor.get("/posts/1-a-title")).status_code == 404
    await owner.get("/posts/drafts")
    assert "A title" in owner.text

    await owner.post("/posts/1/publish", page="/posts/1-a-title")

    assert (await visitor.get("/posts/1-a-title")).status_code == 200
    await owner.get("/posts/drafts")
    assert "empty" in owner.marks.states


async def test_publish_now(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    await write(owner, do="now")

    assert (await visitor.get("/posts/1-a-title")).status_code == 200


async def test_publish_then_is_in_the_owner_s_zone(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    """The fixture's owner lives in Berlin: 10:30 in winter is 9:30 UTC."""
    year = datetime.now(UTC).year + 1

    await write(owner, do="then", when=f"{year}-12-01T10:30")

    [post] = await posts(app)
    assert post.published_at == datetime(year, 12, 1, 9, 30, tzinfo=UTC)
    await owner.get("/posts/1-a-title")
    assert f"1 December {year}, 10:30 (Europe/Berlin)" in owner.text
    await owner.get("/posts/1/edit")
    assert f'value="{year}-12-01T10:30"' in owner.text
    assert (await visitor.get("/posts/1-a-title")).status_code == 404


async def test_editing_leaves_the_moment_as_it_was(app: Quart, owner: Visitor) -> None:
    await write(owner, do="now")
    [before] = await posts(app)

    response = await owner.post("/posts/1/edit", title="另一个题目", text="**New**", do="now")

    [after] = await posts(app)
    assert unquote(response.location) == "/posts/1-另一个题目"
    assert after.published_at == before.published_at
    assert after.edited_at > before.edited_at
    assert "<strong>New</strong>" in after.html
    assert after.beginning == "New"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"title": " \x01 ", "text": "x"}, "no-title"),
        ({"title": "x" * 201, "text": "x"}, "title-too-long"),
        ({"title": "x", "text": " \r\n "}, "empty"),
        ({"title": "x", "text": "x" * 50_001}, "too-long"),
        ({"title": "x", "text": "x", "do": "then"}, "no-time"),
        ({"title": "x", "text": "x", "do": "then", "when": "2020-01-01T10:00"}, "past"),
        ({}, "no-title"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    app: Quart, owner: Visitor, sent: dict[str, str], code: str
) -> None:
    await owner.get("/posts/new")
    form = {"csrf_token": owner.token()} | sent

    response = await owner.client.post("/posts/new", form=form)

    assert response.status_code == 400
    assert Marks(await response.get_data(as_text=True)).errors[0] == code
    assert await posts(app) == []


async def test_every_typed_word_is_kept(app: Quart, owner: Visitor) -> None:
    await write(owner, "", "Line one\n  </textarea>**two** 字", do="then", when="2020-01-01T10:00")

    assert "Line one\n  &lt;/textarea&gt;**two** 字" in owner.text
    assert 'value="2020-01-01T10:00"' in owner.text


async def test_a_long_post_in_any_script_fits_as_browsers_send_it(app: Quart, owner: Visitor) -> None:
    text = "🎉" * 50_000
    await owner.get("/posts/new")
    assert 'enctype="multipart/form-data"' in owner.text
    boundary = "----boundary"
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"csrf_token": owner.token(), "title": "Long", "text": text}.items()
    )

    response = await owner.client.post(
        "/posts/new",
        data=f"{body}--{boundary}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )

    assert response.status_code == 303
    [post] = await posts(app)
    assert post.text == text


async def test_taken_back_and_deleted(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    await write(owner, do="now")
    await owner.post("/posts/1/delete", page="/posts/1-a-title")
    assert len(await posts(app)) == 1  # what people read is not deleted by one click

    await owner.post("/posts/1/withdraw", page="/posts/1-a-title")
    assert (await visitor.get("/posts/1-a-title")).status_code == 404
    await owner.post("/posts/1/delete", page="/posts/1-a-title")

    assert await posts(app) == []
    for path in ("/posts/1-a-title", "/posts/1/edit"):
        assert (await owner.get(path)).status_code == 404


async def test_a_planned_post_goes_back_to_draft_or_is_deleted(app: Quart, owner: Visitor) -> None:
    await write(owner, do="then", when=PLANNED)
    await owner.get("/posts/1-a-title")
    assert "Back to draft" in owner.text
    assert "Unpublish" not in owner.text
    assert 'href="/posts/1/delete"' in owner.text

    await owner.get("/posts/1/delete")
    assert "A title" in owner.text
    assert f"1 January {NEXT_YEAR}" in owner.text
    assert len(await posts(app)) == 1
    await owner.post("/posts/1/delete", page="/posts/1/delete")
    assert await posts(app) == []
    await owner.get("/posts/drafts")
    assert owner.marks.notices == ["deleted"]


async def test_a_time_that_plans_nothing_is_not_lost(app: Quart, owner: Visitor) -> None:
    """The form as a browser without scripts sends it."""
    await write(owner, do="draft", when=PLANNED)
    assert owner.marks.errors == ["not-planned"]
    assert f'value="{PLANNED}"' in owner.text
    assert "Words</textarea>" in owner.text
    assert await posts(app) == []

    await write(owner, do="then", when=PLANNED)
    for when, errors in ((PLANNED, []), (PLANNED.replace("01T", "02T"), ["not-planned"])):
        await owner.post("/posts/1/edit", title="A title", text=f"At {when}", when=when, do="draft")
        assert owner.marks.errors == errors
    [post] = await posts(app)
    assert (post.state, post.text) == ("waiting", f"At {PLANNED}")


async def test_samples_are_offered_on_an_empty_site_only(app: Quart, owner: Visitor, alice: Visitor) -> None:
    await owner.get("/")
    assert "/posts/samples" in owner.marks.actions
    await alice.get("/")
    assert "/posts/samples" not in alice.marks.actions

    await owner.post("/posts/samples", page="/")
    samples = await posts(app)
    await owner.post("/posts/samples", page="/")

    assert len(samples) == len(await posts(app)) == 4
    await owner.get("/")
    assert owner.marks.notices == ["not-empty"]
    assert "/posts/samples" not in owner.marks.actions
    for post in samples:
        assert post.state == "published"
        assert post.title in owner.text
        assert (await alice.get(f"/posts/{post.id}-{post.slug}")).status_code == 200


async def test_samples_are_not_added_beside_a_draft(app: Quart, owner: Visitor) -> None:
    await write(owner)
    await owner.get("/")

    assert "/posts/samples" not in owner.marks.actions


async def test_nobody_else_can_write(app: Quart, owner: Visitor, alice: Visitor, visitor: Visitor) -> None:
    await write(owner)
    await owner.post("/posts/1/publish", page="/posts/1-a-title")
    [before] = await posts(app)
    paths = ["new", "samples", "1/edit", "1/publish", "1/withdraw", "1/delete"]

    for stranger, status in ((alice, 403), (visitor, 303)):
        await stranger.get("/account" if stranger is alice else "/sign-in")
        token = {"X-CSRF-Token": stranger.token()}
        for path in paths:
            sent = await stranger.client.post(f"/posts/{path}", form={"title": "Mine", "text": "x"}, headers=token)
            assert sent.status_code == status, path
        for path in ("new", "drafts", "1/edit"):
            assert (await stranger.get(f"/posts/{path}")).status_code == status, path
        await stranger.get("/posts/1-a-title")
        assert "/edit" not in stranger.text

    [after] = await posts(app)
    assert (after.title, after.text, after.published_at) == (before.title, before.text, before.published_at)


async def test_a_form_from_elsewhere_writes_nothing(app: Quart, owner: Visitor) -> None:
    response = await owner.client.post("/posts/new", form={"title": "Mine", "text": "x", "do": "now"})

    assert response.status_code == 403
    assert await posts(app) == []


async def test_a_post_made_in_a_shell_is_whole(app: Quart, visitor: Visitor) -> None:
    async with app.extensions["database"].session() as db:
        db.add(Post(title="By hand", text="# a\n<script>", published_at=datetime.now(UTC) - timedelta(hours=1)))
        await db.commit()

    await visitor.get("/posts/1-by-hand")

    assert '<h2 id="section-a" dir="auto">a<a ' in visitor.text
    assert "&lt;script&gt;" in visitor.text


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "![" * 25_000, f"[a]: /{'x' * 9_000}\n\n" + "[a] " * 9_000],
    ids=["brackets", "images", "references"],
)
async def test_a_text_that_cannot_be_shown_is_refused_while_others_read(
    owner: Visitor, visitor: Visitor, text: str
) -> None:
    """Rendering it would hold up every other request, or send each reader 90 MB."""
    saving = asyncio.create_task(owner.post("/posts/new", title="Long", text=text))
    pages = 0
    while not (await asyncio.wait([saving], timeout=0.02))[0]:
        assert (await visitor.get("/")).status_code == 200
        pages += 1

    assert saving.result().status_code == 400
    assert owner.marks.errors == ["too-complex"]
    assert pages > 5
    await owner.get("/posts/drafts")
    assert "Long" not in owner.text


async def test_code_that_takes_minutes_to_colour_has_no_colours() -> None:
    slow = "a " * 9_000

    rendered = await render(f"```java\n{slow}\n```\n\nAfter it")

    assert "<span" not in rendered.html
    assert "After it" in rendered.html


async def test_what_is_rendered_apart_is_what_code_renders() -> None:
    text = "# Title\n\nSome *words*, [a link](/x), \U0001f469\u200d\U0001f680 and 字.\n"

    rendered, here = await render(text), render_here(text)

    assert (str(rendered), rendered.html, rendered.beginning, rendered.words) == (
        text,
        here.html,
        here.beginning,
        here.words,
    )

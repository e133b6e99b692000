"""The editor: nothing typed is lost, no tab overwrites another, and the preview is what the page will be."""

from __future__ import annotations

import asyncio
import re

import pytest
from quart import Quart
from sqlalchemy import select

from app.accounts import Account
from app.blog import Post
from app.blog.unsaved import keeping
from app.blog.unsaved.models import UnsavedText
from tests.app.harm import ATTACKS
from tests.app.visitor import Visitor

HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')
TEXT = "\n\n".join([
    *ATTACKS, "# Title\n\n- שלום\n- a\n\n> q", "```py\nreturn '<'\n```", "![x](/pictures/a.png)", "&#12;&#1;\u0085",
    "|a|\n|-|\n|b|",
]).replace("\0", "").replace("\n", "\r\n")  # fmt: skip


async def opened(owner: Visitor, path: str = "/posts/new") -> dict[str, str]:
    """The hidden fields of the editor, opened anew."""
    assert (await owner.get(path)).status_code == 200
    return dict(HIDDEN.findall(owner.text))


async def type_in(owner: Visitor, fields: dict[str, str], change: int, text: str, title: str = "A title") -> int:
    """What the script of the page sends while somebody types."""
    form = fields | {"change": str(change), "text": text, "title": title}
    return (await owner.client.post("/posts/unsaved", form=form)).status_code


async def offered(owner: Visitor, path: str = "/posts/new") -> list[str]:
    """The tabs whose texts the editor offers to restore."""
    await owner.get(path)
    return re.findall(r"[?]unsaved=([\w-]+)", owner.text)


async def texts_of(app: Quart) -> list[Post]:
    async with app.extensions["database"].session() as db:
        return list(await db.scalars(select(Post).order_by(Post.id)))


async def test_a_closed_tab_loses_nothing_and_publishes_nothing(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    fields = await opened(owner)
    assert await type_in(owner, fields, 1, "Half a sen") == 204
    assert await type_in(owner, fields, 2, "Half a sentence </textarea>字") == 204

    assert await offered(owner) == [fields["tab"]]
    assert "unsaved" in owner.marks.states
    await owner.get("/posts/drafts")
    assert fields["tab"] in owner.text
    assert "Everything you wrote is published" not in owner.text
    for reader, told in ((owner, True), (visitor, False)):
        await reader.get("/")
        assert ("1 unsaved text<" in reader.text) == told
    assert await texts_of(app) == []
    await visitor.get("/search?q=half")
    assert visitor.marks.states == ["no-match"]

    restored = await opened(owner, f"/posts/new?unsaved={fields['tab']}")
    assert "Half a sentence &lt;/textarea&gt;字</textarea>" in owner.text
    assert (restored["restored"], restored["tab"] != fields["tab"]) == (fields["tab"], True)

    await owner.client.post("/posts/new", form=restored | {"title": "Whole", "text": "A whole sentence"})
    assert [post.text for post in await texts_of(app)] == ["A whole sentence"]
    assert await offered(owner) == []


@pytest.mark.both_databases("locks, JSON and large numbers")
async def test_what_arrives_late_replaces_nothing(app: Quart, owner: Visitor) -> None:
    fields = await opened(owner)
    codes = await asyncio.gather(*(type_in(owner, fields, n, f"text {n}") for n in (3, 1, 5, 2, 4)))
    assert set(codes) == {204}

    await opened(owner, f"/posts/new?unsaved={fields['tab']}")
    assert "text 5</textarea>" in owner.text

    await owner.client.post("/posts/new", form=fields | {"title": "Saved", "text": "text 5"})
    assert await type_in(owner, fields, 6, "from the page that was left") == 410
    other = await opened(owner)
    await owner.client.post("/posts/new", form=other | {"title": "Saved", "text": "before anything was kept"})
    assert await type_in(owner, other, 1, "from the page that was left") == 410
    assert await offered(owner) == []


async def test_each_tab_keeps_its_own_text(app: Quart, owner: Visitor) -> None:
    one, two = await opened(owner), await opened(owner)
    await type_in(owner, one, 1, "of one")
    await type_in(owner, two, 1, "of two")
    assert set(await offered(owner)) == {one["tab"], two["tab"]}

    three = await opened(owner, f"/posts/new?unsaved={one['tab']}")
    assert await type_in(owner, three, 1, "of one, restored") == 204
    assert set(await offered(owner)) == {two["tab"], three["tab"]}
    assert await type_in(owner, one, 2, "of one, which is still open") == 410, "it makes itself a new tab"

    await owner.post(f"/posts/unsaved/{two['tab']}/discard", page="/posts/new")
    assert await offered(owner) == [three["tab"]]
    assert owner.marks.notices == ["discarded"]
    async with app.extensions["database"].session() as db:
        ended = select(UnsavedText.typed).where(UnsavedText.ended_at.is_not(None))
        assert list(await db.scalars(ended)) == [{}, {}]


async def test_the_texts_of_a_post_are_its_own(app: Quart, owner: Visitor) -> None:
    for title in ("One", "Two"):
        await owner.post("/posts/new", title=title, text="Words")
    fields = await opened(owner, "/posts/1/edit")
    await type_in(owner, fields, 1, "New words")

    assert await offered(owner, "/posts/1/edit") == [fields["tab"]]
    assert await offered(owner, "/posts/2/edit") == []
    assert await offered(owner, "/posts/new") == []
    await owner.post("/posts/1/delete", page="/posts/1-one")
    assert await offered(owner, "/posts/new") == [fields["tab"]], "its post is gone, the text is not"


async def test_a_newer_edit_is_not_overwritten_unseen(app: Quart, owner: Visitor) -> None:
    await owner.post("/posts/new", title="Post", text="First")
    old, new = await opened(owner, "/posts/1/edit"), await opened(owner, "/posts/1/edit")
    await type_in(owner, old, 1, "Typed before the other tab saved")
    await owner.client.post("/posts/1/edit", form=new | {"title": "Post", "text": "Newer"})

    refused = await owner.client.post("/posts/1/edit", form=old | {"title": "Post", "text": "Older"})
    page = await refused.get_data(as_text=True)
    assert refused.status_code == 400
    assert 'data-error="changed"' in page
    assert "Older</textarea>" in page
    assert [post.text for post in await texts_of(app)] == ["Newer"]

    restored = await opened(owner, f"/posts/1/edit?unsaved={old['tab']}")
    assert "Older</textarea>" in owner.text, "a refused form is kept as well"
    again = await owner.client.post("/posts/1/edit", form=restored | {"title": "Post", "text": "Older"})
    assert again.status_code == 400, "the text is older than what was saved"
    knowing = dict(HIDDEN.findall(page))
    done = await owner.client.post("/posts/1/edit", form=knowing | {"title": "Post", "text": "Both"})
    assert done.status_code == 303
    assert [post.text for post in await texts_of(app)] == ["Both"]


async def test_a_form_that_is_wrong_is_kept(app: Quart, owner: Visitor) -> None:
    first = await opened(owner)
    await type_in(owner, first, 1, "Words")
    refused = first | {"title": "", "text": "More words", "change": "3"}
    answer = await owner.client.post("/posts/new", form=refused)
    assert answer.status_code == 400
    second = dict(HIDDEN.findall(await answer.get_data(as_text=True)))
    assert second["restored"] == first["tab"]

    assert await type_in(owner, first, 2, "late") == 204
    await opened(owner, f"/posts/new?unsaved={first['tab']}")
    assert "More words</textarea>" in owner.text
    assert await type_in(owner, first, 4, "Typed on, after going back") == 204
    await opened(owner, f"/posts/new?unsaved={first['tab']}")
    assert "Typed on, after going back</textarea>" in owner.text
    await owner.client.post("/posts/new", form=second | {"title": "A title", "text": "More words"})
    assert await offered(owner) == []


async def test_a_form_that_counts_no_changes_is_kept_and_what_follows_is_another_tab(owner: Visitor) -> None:
    """It was sent without scripts, or by the script of an earlier release."""
    tab = await opened(owner)
    for text in ("First", "Second"):
        await owner.client.post("/posts/new", form=tab | {"title": "", "text": text, "change": "0"})
    assert await type_in(owner, tab, 9, "Typed on") == 410, "or it would be said to be kept"

    await opened(owner, f"/posts/new?unsaved={tab['tab']}")
    assert "Second</textarea>" in owner.text


@pytest.mark.parametrize(
    ("more", "status"),
    [({"tab": "x"}, 400), ({"tab": "a b" * 5}, 400), ({"change": "0"}, 400), ({"change": "9" * 30}, 400),
     ({"change": ""}, 400), ({"text": "x" * 101_000}, 413), ({"text": "x" * 99_000}, 204), ({"post": "999"}, 204),
     ({"post": "x"}, 204), ({"post": "9" * 25}, 400), ({"post": "2147483648"}, 400), ({"post": "-1"}, 204),
     ({"csrf_token": ""}, 403)],
)  # fmt: skip
async def test_what_is_kept_has_limits(owner: Visitor, more: dict[str, str], status: int) -> None:
    form = await opened(owner) | {"change": "1", "text": "x", "title": "x"} | more

    assert (await owner.client.post("/posts/unsaved", form=form)).status_code == status


async def test_an_account_keeps_the_newest_texts(owner: Visitor, alice: Visitor) -> None:
    fields = await opened(owner)
    for number in range(keeping.MOST + 2):
        await type_in(owner, fields | {"tab": f"tab-number-{number}"}, 1, "x")

    found = await offered(owner)
    assert len(found) == keeping.MOST
    assert "tab-number-0" not in found
    assert (await alice.get(f"/posts/new?unsaved={found[0]}")).status_code == 403


async def test_what_was_saved_pushes_out_no_open_text(app: Quart, owner: Visitor) -> None:
    fields = await opened(owner)
    await type_in(owner, fields | {"tab": "open-all-day"}, 1, "x")
    for number in range(keeping.MOST + 2):
        async with app.extensions["database"].session() as db:
            account = await db.scalar(select(Account).where(Account.email == app.extensions["settings"].owner_email))
            await keeping.end(db, account, f"saved-number-{number}")
            await db.commit()
    await type_in(owner, fields | {"tab": "another-one"}, 1, "y")

    assert await offered(owner) == ["another-one", "open-all-day"]
    async with app.extensions["database"].session() as db:
        assert len(list(await db.scalars(select(UnsavedText)))) == keeping.MOST + 2


async def test_the_preview_is_what_the_page_will_be(app: Quart, owner: Visitor) -> None:
    fields = await opened(owner) | {"title": "", "text": TEXT, "do": "preview"}
    preview = await (await owner.client.post("/posts/preview", form=fields)).get_data(as_text=True)
    await owner.post("/posts/new", title="x", text=TEXT)
    [post] = await texts_of(app)
    await owner.get("/posts/1-x")

    shown = f'<div class="post-text">{post.html}</div>'
    assert len(shown) > len(TEXT)
    assert shown in owner.text
    assert shown in preview


async def test_without_scripts_a_button_shows_the_preview(app: Quart, owner: Visitor) -> None:
    fields = await opened(owner)
    answer = await owner.client.post("/posts/new", form=fields | {"title": "", "text": "**Bold**", "do": "preview"})
    page = await answer.get_data(as_text=True)

    assert answer.status_code == 200
    assert "<strong>Bold</strong>" in page
    assert "**Bold**</textarea>" in page
    assert await texts_of(app) == []
    assert await offered(owner) == [fields["tab"]]

    too_long = await owner.client.post("/posts/preview", form=fields | {"text": "x" * 50_001, "do": "preview"})
    assert 'data-error="too-long"' in await too_long.get_data(as_text=True)

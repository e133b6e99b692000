"""Tags: typed in one line, in any script, each with a page of what is published."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart

from app.blog import Post, tags
from app.blog.models import PostTag
from tests.app.visitor import Visitor


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", []),
        (" , ,; ", []),
        ("Python, async io,python", [("Python", "python"), ("async io", "async io")]),
        ("#one #two; three", [("one #two", "one #two"), ("three", "three")]),
        ("读书、旅行，电影", [("读书", "读书"), ("旅行", "旅行"), ("电影", "电影")]),
        ("كتب، سفر", [("كتب", "كتب"), ("سفر", "سفر")]),
        ("Füße\n<b>", [("Füße", "füsse"), ("<b>", "<b>")]),
        (
            "C, C++, c#, .NET, .., node.js, a/b, 🎉, c",
            [
                ("C", "c"),
                ("C++", "c++"),
                ("c#", "c#"),
                (".NET", ".net"),
                ("..", "%2e%2e"),
                ("node.js", "node.js"),
                ("a/b", "a%2fb"),
                ("🎉", "🎉"),
            ],
        ),
    ],
)
def test_tags_in_a_line(typed: str, found: list[tuple[str, str]]) -> None:
    assert [(tag.name, tag.slug) for tag in tags.read_tags(typed)] == found


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("x" * 41, "tag-too-long"),
        ("a, \u200b", "no-letters"),
        (",".join(f"tag {n}" for n in range(11)), "too-many-tags"),
    ],
)
def test_tags_that_are_refused(typed: str, code: str) -> None:
    with pytest.raises(tags.TagRefused) as error:
        tags.read_tags(typed)

    assert error.value.message.code == code


@given(st.text(max_size=60))
def test_the_address_of_a_tag_is_its_own_slug(name: str) -> None:
    """Its page would redirect for ever otherwise."""
    assert tags.folded(tags.slug(name)) == tags.slug(name)


@given(st.text("cC+#./\\%25fe ", max_size=8), st.text("cC+#./\\%25fe ", max_size=8))
def test_tags_share_an_address_only_if_they_are_one(one: str, other: str) -> None:
    assert (tags.slug(one) == tags.slug(other)) == (tags.folded(one) == tags.folded(other))


async def test_each_tag_has_a_page_and_one_name(owner: Visitor, visitor: Visitor) -> None:
    names = ["C", "C++", "c#", ".NET", "..", "node.js", "a/b", "🎉", "100%2f", "a\\b"]
    await owner.post("/posts/new", title="Old", text="x", tags="c++, net", do="now")
    await owner.post("/posts/new", title="All", text="x", tags=",".join(names), do="now")

    await visitor.get("/posts/2-all")
    links = re.findall(r'rel="tag" href="([^"]+)"><bdi>([^<]*)', visitor.text)
    assert [name for _, name in links] == names
    for link, name in links:
        assert (await visitor.get(link)).status_code == 200, name
        assert (">Old</a>" in visitor.text) == (name == "C++")
        assert f'<h1 dir="auto">{name}</h1>' in visitor.text
    await visitor.get("/posts/1-old")
    assert "<bdi>C++</bdi>" in visitor.text, "as it was spelled last"


@pytest.mark.both_databases("rows of their own, with an order")
async def test_a_tag_has_a_page_of_what_is_published(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    now = datetime.now(UTC)
    async with app.extensions["database"].session() as db:
        for title, at in (("Waits", now + timedelta(days=1)), ("Draft", None), ("Other", now)):
            tag = PostTag(slug="other" if title == "Other" else "读书", name=title, place=0)
            db.add(Post(title=title, text="x", published_at=at, tags=[tag]))
        await db.commit()
    assert (await visitor.get(f"/tags/{quote('读书')}")).status_code == 404

    await owner.post("/posts/new", title="Out", text="x", tags="b, 读书, <A>", do="now")
    await visitor.get("/posts/4-out")
    links = re.findall(r'rel="tag" href="([^"]+)"><bdi>([^<]*)', visitor.text)
    named = [("/tags/b", "b"), ("/tags/读书", "读书"), ("/tags/<a>", "&lt;A&gt;")]
    assert [(unquote(link), name) for link, name in links] == named
    await visitor.get(f"/tags/{quote('读书')}")
    assert [title for title in ("Out", "Waits", "Draft", "Other") if f">{title}</a>" in visitor.text] == ["Out"]
    assert unquote((await visitor.get("/tags/B")).location) == "/tags/b"
    assert (await visitor.get("/tags/%F0%9F%8E%89")).status_code == 404

    feed = ElementTree.fromstring(await (await visitor.get("/feed.atom")).get_data())
    atom = "{http://www.w3.org/2005/Atom}"
    [out] = [entry for entry in feed.iter(f"{atom}entry") if entry.findtext(f"{atom}title") == "Out"]
    found = [(tag.attrib["term"], tag.attrib["label"]) for tag in out.iter(f"{atom}category")]
    assert found == [("b", "b"), ("读书", "读书"), ("<a>", "<A>")]

    await owner.get("/posts/4/edit")
    assert 'value="b, 读书, &lt;A&gt;"' in owner.text
    await owner.post("/posts/4/edit", title="Out", text="x", tags="New, B")
    await owner.get("/posts/4-out")
    assert re.findall(r"<bdi>([^<]*)</bdi></a></li>", owner.text) == ["New", "B"]
    await owner.post("/posts/4/withdraw", page="/posts/4-out")
    await owner.post("/posts/4/delete", page="/posts/4-out")
    assert (await visitor.get("/tags/new")).status_code == 404


async def test_wrong_tags_are_said_beside_the_field(app: Quart, owner: Visitor) -> None:
    await owner.post("/posts/new", title="x", text="x", tags="\u200d")

    assert owner.marks.errors == ["no-letters"]
    assert 'value="\u200d"' in owner.text

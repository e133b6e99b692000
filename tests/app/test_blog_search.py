"""Posts are found by their words, in any language; drafts by the owner only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from quart import Quart
from sqlalchemy import select, update

from app.blog import Post, finding, passages
from app.blog.markdown import searching
from app.blog.rendering import RENDERER
from app.blog.tasks import render_again
from tests.app.visitor import Visitor

HEAVY = f"[a]: /{'x' * 9_000}\n\n{'[a] ' * 150}"
"""Its HTML is over a megabyte."""
TEXTS = {
    "latin": "# Über Straßen\n\nDer *Café*-Besitzer in Łódź schrieb `snake_case` und 50 % mehr.",
    "chinese": "我昨天去了北京图书馆，借了三本书。",
    "japanese": "東京タワーへ行きました。ｶﾀｶﾅも。",
    "korean": "서울에서 만나요. 도서관은 닫혔어요.",
    "thai": "วันนี้ฉันไปตลาดน้ำ",
    "arabic": "ذهبتُ إلى المَكْتَبَة في القاهِرة",
    "hebrew": "הלכתי לַסִּפְרִיָּה בירושלים",
    "hindi": "मैं हिन्दी पुस्तकालय गया",
    "russian": "Ёлка стоит у ЙОГУРТА",
    "greek": "Ο ΣΊΣΥΦΟΣ ανέβηκε",
    "turkish": "İSTANBUL'da IŞIK vardı",
    "code": "```py\nawait digest.delay()\n```\n\n![a lighthouse](x.png)",
}
QUESTIONS = [
    ("strassen", "latin"), ("STRASSEN cafe", "latin"), ("lodz", "latin"), ("besitz", "latin"), ("snake_case", "latin"),
    ("北京", "chinese"), ("图书馆 三本", "chinese"), ("書", ""), ("京", "chinese japanese"),
    ("東京", "japanese"), ("カタカナ", "japanese"), ("タワー", "japanese"),
    ("서울", "korean"), ("도서관", "korean"), ("ตลาด", "thai"), ("المكتبة", "arabic"), ("القاهرة", "arabic"),
    ("ספריה", "hebrew"), ("हिन्दी", "hindi"), ("елка", "russian"), ("йогурт", "russian"),
    ("σίσυφος", "greek"), ("ανεβηκε", "greek"), ("istanbul", "turkish"), ("ısık", "turkish"),
    ("digest.delay", "code"), ("lighthouse", "code"), ("title thai", "thai"),
    ("cafe nowhere", ""), ("%", ""), ("_", ""), ("%a%", " ".join(TEXTS)), ("", ""), ("?!", ""), ("\x00", ""),
]  # fmt: skip


def plain(page: str) -> str:
    return page.replace("<mark>", "").replace("</mark>", "")


async def found(visitor: Visitor, asked: str) -> set[str]:
    names: set[str] = set()
    for page in (1, 2):
        assert (await visitor.get(f"/search?q={quote(asked)}&page={page}")).status_code == 200
        names |= {name for name in TEXTS if f"A title of {name}." in plain(visitor.text)}
    return names


@pytest.mark.both_databases("LIKE is another one on each")
async def test_words_in_any_language(app: Quart, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "A_MINUTE", 1_000)
    async with app.extensions["database"].session() as db:
        now = datetime.now(UTC)
        db.add_all([Post(title=f"A title of {name}.", text=text, published_at=now) for name, text in TEXTS.items()])
        await db.commit()

    for asked, names in QUESTIONS:
        assert await found(visitor, asked) == set(names.split()), asked


async def test_readers_find_what_is_published_and_the_owner_all(
    app: Quart, visitor: Visitor, alice: Visitor, owner: Visitor
) -> None:
    async with app.extensions["database"].session() as db:
        now = datetime.now(UTC)
        for title, at in (("Out", now), ("Waits", now + timedelta(days=1)), ("Draft", None)):
            db.add(Post(title=f"{title} zebra.", text="x", published_at=at))
        await db.commit()

    for reader, titles in ((visitor, {"Out"}), (alice, {"Out"}), (owner, {"Out", "Waits", "Draft"})):
        await reader.get("/search?q=zebra")
        assert {title for title in ("Out", "Waits", "Draft") if f"{title} zebra." in plain(reader.text)} == titles


@pytest.mark.parametrize(
    ("text", "asked", "shown"),
    [
        ("many words " * 60 + "*Ca*fé <b> & more", "cafe MORE", "<mark>Café</mark> &lt;b&gt; &amp; <mark>more</mark>"),
        ("昨天" * 90 + "去了北京图书馆。", "北京", "<mark>北京</mark>图书馆。"),
        ("في المَكْتَبَة", "المكتبة", "<mark>المَكْتَبَة</mark>"),
        ("서울에서", "서울", "<mark>서울</mark>에서"),
        ("ｶﾞラス", "ガラ", "<mark>ｶﾞラ</mark>ス"),
        ("one\n\n![a lighthouse](x.png)", "lighthouse", "one a <mark>lighthouse</mark>"),
        ("Straße", "strass", "<mark>Straß</mark>e"),
    ],
)  # fmt: skip
async def test_the_passage_found_is_shown_and_marked(
    app: Quart, visitor: Visitor, text: str, asked: str, shown: str
) -> None:
    async with app.extensions["database"].session() as db:
        db.add(Post(title=f"<i> {asked}", text=text, published_at=datetime.now(UTC)))
        await db.commit()

    await visitor.get(f"/search?q={quote(asked)}")

    assert shown in visitor.text
    assert f"&lt;i&gt; <mark>{asked.split()[0]}</mark>" in visitor.text


@given(st.text(max_size=60), st.text(max_size=5))
def test_marks_change_nothing_else(text: str, asked: str) -> None:
    marked = passages.marked(text, searching.words(asked))

    assert unescape(marked.replace("<mark>", "").replace("</mark>", "")) == unescape(str(escape(text)))


async def test_an_edit_changes_by_what_a_post_is_found(app: Quart, owner: Visitor) -> None:
    await owner.post("/posts/new", title="Owls", text="badger")
    await owner.post("/posts/1/edit", title="Eagles", text="badger")

    for asked, finds in (("owls", False), ("eagles", True), ("badger", True)):
        await owner.get(f"/search?q={asked}")
        assert ("Eagles" in plain(owner.text)) == finds, asked
    assert "no-match" not in owner.marks.states
    await owner.get("/search?q=<zz>")
    assert owner.marks.states == ["no-match"]
    assert "&lt;zz&gt;" in owner.text


async def test_searches_are_limited(visitor: Visitor) -> None:
    for _ in range(finding.A_MINUTE):
        await visitor.get("/search?q=x")
    assert (await visitor.get("/search?q=x")).status_code == 429
    assert (await visitor.get("/search")).status_code == 200


@pytest.mark.both_databases("the task writes rows of the release before")
async def test_posts_of_earlier_releases_are_rendered_again(app: Quart, visitor: Visitor) -> None:
    async with app.extensions["database"].session() as db:
        db.add(Post(title="Old zebra", text="# a\n\nbadger", published_at=datetime.now(UTC)))
        db.add(Post(title="Heavy", text="x", published_at=datetime.now(UTC)))
        await db.commit()
        await db.execute(
            update(Post).values(renderer=0, words="", html="old", edited_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
        await db.execute(update(Post).where(Post.title == "Heavy").values(text=HEAVY))
        await db.commit()

    async with app.app_context():
        await render_again()
        await render_again()

    async with app.extensions["database"].session() as db:
        new, heavy = await db.scalars(select(Post).order_by(Post.id))
    assert (new.renderer, new.words, new.edited_at.year) == (RENDERER, "old zebra\na badger", 2020)
    assert 'id="section-a"' in new.html
    assert (heavy.renderer, heavy.words, heavy.html) == (RENDERER, "heavy\n", "old")


@pytest.mark.both_databases("the task reads what another release has written")
async def test_what_a_web_process_of_the_release_before_edits_is_found(app: Quart, visitor: Visitor) -> None:
    """During a deploy it knows nothing of words and renderers: it writes the title, the text and their old HTML."""
    now = datetime.now(UTC)
    async with app.extensions["database"].session() as db:
        db.add_all(
            [Post(title=f"{word} one", text=f"{word} badger", published_at=now) for word in ("Owl", "Eagle", "Ibis")]
        )
        await db.commit()
        for title, new in (
            ("Owl one", {"title": "Heron one"}),
            ("Eagle one", {"text": "**heron** badger", "html": "old"}),
        ):
            await db.execute(update(Post).where(Post.title == title).values(**new, edited_at=now))
        await db.commit()
        rendered = await db.scalar(select(Post.html).where(Post.id == 3))

    async with app.app_context():
        await render_again()

    await visitor.get("/search?q=heron")
    page = plain(visitor.text)
    assert ("Heron one" in page, "Eagle one" in page, "Ibis" in page) == (True, True, False)
    async with app.extensions["database"].session() as db:
        posts = list(await db.scalars(select(Post).order_by(Post.id)))
    assert "<strong>heron</strong>" in posts[1].html
    assert {post.edited_at for post in posts[:2]} == {now}
    assert posts[2].html == rendered


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert searching.folded(searching.folded(text)) == searching.folded(text)


@given(st.text(max_size=50))
def test_words_hold_nothing_that_a_query_would_read_as_a_sign(text: str) -> None:
    words = searching.words(text)

    assert len(words) == len(set(words))
    assert all(word and not set(word) & set("%_\\ \n") for word in words)

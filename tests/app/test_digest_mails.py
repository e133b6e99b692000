"""What a digest's mail says, and that nothing in it runs, breaks out or is torn apart."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest

from app.blog.models import LONGEST_TEXT, Post
from app.database import Database
from app.digest import issues, mails
from settings import ROOT, Settings
from tests.app.digests import DigestSite, digest_site
from tests.app.harm import ATTACKS

FAMILY, FLAG = "👨‍👩‍👧‍👦", "🇫🇷"


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        await here.subscribe()
        yield here


class Reader(HTMLParser):
    """Every element with its attributes, and the text that people see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.elements if tag == "a"]


async def sent(site: DigestSite) -> tuple[str, Reader, str]:
    """Text part, HTML part read, and raw HTML of the one mail."""
    await site.round(await site.begin())
    [mail] = site.smtp.accepted
    text, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), Reader(html.get_content()), html.get_content()


async def test_it_shows_title_beginning_and_a_link_for_each_post(site: DigestSite) -> None:
    await site.publish("给自己 🌱", "Second & last", text="Some **bold** words")

    text, html, raw = await sent(site)

    base = site.app.extensions["settings"].base_url
    assert site.smtp.accepted[0].message["Subject"] == "Weekly Digest: 给自己 🌱"
    assert f"\n\nSecond & last\n\nSome bold words\n\nRead More: {base}/posts/2-second-last\n" in text
    assert f"\n\n给自己 🌱\n\nSome bold words\n\nRead More: {base}/posts/1-" in text
    assert "Second & last" in html.text
    assert html.links().count(f"{base}/posts/2-second-last") == 2, "title and 'Read More'"
    assert all(link.startswith(base) for link in html.links())
    assert "\n\n\n\n" not in text
    assert "Second &amp; last" in raw


async def test_it_names_the_pictures_and_loads_none(site: DigestSite) -> None:
    """Each as a link to its post, in both parts."""
    await site.publish("Seen", text='Words ![a "tower" > <b>](a.png) and\n\n![](b.png)\n\n![c](c.png) ![d](d.png)')

    text, html, _ = await sent(site)

    post = f"{site.app.extensions['settings'].base_url}/posts/1-seen"
    assert (
        f'\n\nPicture: a "tower" > <b>: {post}\n\nPicture: {post}\n\nPicture: c: {post}\n\nRead More: {post}\n' in text
    )
    assert 'Picture: a "tower" > <b>' in html.text
    assert "Picture: d" not in text + html.text
    assert html.links().count(post) == 5


async def test_it_is_tables_with_inline_styles_and_a_language(site: DigestSite) -> None:
    await site.publish("One")

    _, html, _ = await sent(site)

    tables = [attributes for tag, attributes in html.elements if tag == "table"]
    assert tables
    assert all(attributes["role"] == "presentation" for attributes in tables)
    assert dict(html.elements)["html"]["lang"] == "en"
    assert not {tag for tag, _ in html.elements} & {"script", "link", "img"}


async def test_the_rest_is_counted(site: DigestSite) -> None:
    await site.publish(*(f"Post {n}." for n in range(25)))

    text, html, _ = await sent(site)

    assert text.count("Read More:") == html.text.count("Read More") == 20
    assert "\n5 more: " in text
    assert "5 more" in html.text


async def test_no_title_and_no_text_runs_or_breaks_out(site: DigestSite) -> None:
    """M9, and every attack that the blog's own pages are tried with."""
    hostile = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "{{7*7}} {% for x in y %}",
        "[a](javascript:alert(1))",
        '"><td onmouseover=alert(1)>',
        "</table></body>",
    ]
    attacks = [*hostile, *ATTACKS]
    await site.publish(*(attack[:200] for attack in attacks[:20]), text="\n\n".join(attacks))

    text, html, _ = await sent(site)

    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "div",
        "table",
        "tr",
        "td",
        "p",
        "h2",
        "br",
        "a",
        "bdi",
    }
    assert {tag for tag, _ in html.elements} == allowed
    known = {"style", "class", "href", "dir", "lang", "role", "align", "width", "charset", "name", "content"}
    known |= {"bgcolor", "cellpadding", "cellspacing"}
    assert {name for _, attributes in html.elements for name in attributes} == known
    assert all(link.startswith(site.app.extensions["settings"].base_url) for link in html.links())
    assert "{{7*7}}" in text
    assert "{{7*7}}" in html.text
    assert "<script>alert(1)</script>" in text, "inert there, and shown as it was written"


@pytest.mark.parametrize(
    "words",
    ["word " * 400, "字" * 900, "一 " + "字" * 900, FAMILY * 130, FLAG * 400, "e\u0301" * 450, "שלום עולם " * 90],
    ids=["latin", "chinese", "one early blank", "families", "flags", "combining", "hebrew"],
)
async def test_the_first_500_characters_in_every_script(site: DigestSite, words: str) -> None:
    await site.publish("One", text=words)

    text, html, _ = await sent(site)

    shown = re.search(r"\n\nOne\n\n(.*)\n\nRead More", text)
    assert shown is not None
    assert 450 <= len(shown[1]) <= 500
    assert shown[1].endswith("…")
    assert shown[1] in html.text
    for whole in (FAMILY, FLAG, "e\u0301"):
        if words.startswith(whole):
            assert shown[1][:-1].replace(whole, "") == "", "none is torn"


async def test_the_longest_post_makes_no_long_mail(site: DigestSite) -> None:
    """A post of 900 kB cannot be saved by the form; one that a shell saves is cut all the same."""
    await site.publish("Longest", text="字" * LONGEST_TEXT)
    await site.publish("Almost a megabyte", text="word " * 180_000)

    await sent(site)

    assert len(site.smtp.accepted[0].raw) < 20_000


async def test_its_headers_name_the_list_and_the_way_out(site: DigestSite) -> None:
    await site.publish("One")

    text, html, _ = await sent(site)

    [mail] = site.smtp.accepted
    base = site.app.extensions["settings"].base_url
    link = mail.message["List-Unsubscribe"].strip("<>")
    assert link.startswith(f"{base}/unsubscribe/1/")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.message["List-Id"] == "<weekly-digest.127.0.0.1>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert link in text
    assert link in html.links()


async def test_every_try_is_the_same_mail_and_everybody_has_another(site: DigestSite) -> None:
    await site.subscribe(2)
    await site.publish("One")
    pk = await site.begin()
    site.smtp.script["dot"] = ["451 later"]
    await site.round(pk)
    ids = {mail.message_id for mail in site.smtp.accepted}
    assert len(ids) == 2

    digest = await site.digest(pk)
    expected = {mails.message_id(digest, delivery.id) for delivery in await site.deliveries(pk)}
    assert ids < expected


def test_no_template_of_a_mail_marks_anything_as_safe() -> None:
    templates = [path for path in (ROOT / "app").rglob("mails/*") if path.is_file()]

    assert templates
    for path in templates:
        assert not re.search(r"\|\s*safe|autoescape", path.read_text()), path


def test_a_post_keeps_enough_for_a_digest() -> None:
    assert len(Post(title="x", text="字" * 2_000).beginning) >= issues.LONGEST_BEGINNING

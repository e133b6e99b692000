"""What every mail has in common, checked on the bytes that a mail server receives: all kinds, found by their templates.

Looks and words of one kind are tested with its feature.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from app import create_app
from app.context import close, task_context
from app.security import frames
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.every_mail import send_all, templates
from tests.app.showing_mail import Element, contrast, read_html
from tests.smtp_server import SmtpServer, mailing

OF_PAGES = {"landmark-one-main", "page-has-heading-one", "region"}
"""What axe-core wants of the page that a mail program shows a mail in."""
BASE = "https://site.example"
NAME = "Böll & Söhne <@> 给"
WRITTEN_OUT = "Or open this address:"


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    kind: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None, self.kind
        content: str = body.get_content()
        return content.replace("\r\n", "\n")

    @property
    def text(self) -> str:
        return self.part("plain")

    @property
    def html(self) -> Element:
        return read_html(self.part("html"))


@pytest.fixture
async def mails(settings: Settings, smtp: SmtpServer) -> AsyncIterator[list[Mail]]:
    """One or more of each kind, from a site in Arabic with a name that is hard to write."""
    changed = {"base_url": BASE, "smtp_from": "site@site.example", "site_name": NAME, "site_lang": "ar"}
    app = create_app(replace(mailing(settings, smtp), **changed))
    async with task_context(app)(None):
        kinds = [kind async for kind in send_all()]
    yield [Mail(kind, accepted.raw) for kind, accepted in zip(kinds, smtp.accepted, strict=True)]
    await close(app)


async def test_every_mail_has_the_look_of_the_site(mails: list[Mail]) -> None:
    assert {mail.kind for mail in mails} == templates(), "tests/app/every_mail.py sends one of each template"
    for mail in mails:
        for check in CHECKS:
            check(mail)


async def test_every_mail_is_for_everybody_and_fits_its_frame(mails: list[Mail], browser: Browser) -> None:
    """axe-core finds nothing in light and dark, no phone scrolls sideways, and `frames.height` is about right."""
    page = await tab(browser)
    for mail in mails:
        html = mail.part("html")
        await page.set_content(html)
        for width in (frames.WIDE, frames.PHONE, frames.NARROW):
            await page.set_viewport_size({"width": width, "height": 100})
            needed = min(await page.evaluate("document.documentElement.scrollHeight"), frames.HIGHEST)
            shown = frames.height(html, width)
            assert needed * 0.9 - 20 <= shown <= max(needed * 1.35, frames.LOWEST), (mail.kind, width, needed, shown)
    for mail in {mail.kind: mail for mail in mails}.values():
        await page.set_content(mail.part("html"))
        found = [finding for finding in await problems(page) if finding[1] not in OF_PAGES]
        assert found == [], mail.kind


def says_who_sends_it(mail: Mail) -> None:
    [sender] = mail.message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (NAME, "site@site.example"), mail.kind
    assert mail.message["Message-ID"].rpartition("@")[2] in ("site.example>", "example.org>"), mail.kind


def is_text_and_html(mail: Mail) -> None:
    assert mail.raw.isascii(), mail.kind
    assert max(len(line) for line in mail.raw.split(b"\r\n")) <= 998, mail.kind
    kinds = [part.get_content_type() for part in mail.message.iter_parts()]  # type: ignore[union-attr]
    assert kinds == ["text/plain", "text/html"], mail.kind


def has_a_language_and_fits_a_phone(mail: Mail) -> None:
    page = mail.html
    [html] = page.all("html")
    assert html.of["lang"] == "ar", mail.kind
    metas = {meta.of.get("name"): meta.of.get("content") for meta in page.all("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1", mail.kind
    assert metas["color-scheme"] == "light dark", mail.kind
    [title] = page.all("title")
    assert title.text == str(mail.message["Subject"]).removeprefix("Test: "), mail.kind
    for one in page.all("p", "h2", "td", "div"):
        if one.own_text:
            assert one.near("dir"), (mail.kind, one.text)
            assert "word-break" in one.near_style or "display:none" in one.near_style, (mail.kind, one.text)


def begins_with_a_line_for_the_list_of_mails(mail: Mail) -> None:
    first = next(one for one in mail.html.all("body")[0].walk() if one.own_text)
    assert "display:none" in first.of["style"], mail.kind
    assert len(first.text) >= 10, mail.kind
    assert first.text != mail.message["Subject"], mail.kind


def is_readable_in_light_and_dark(mail: Mail) -> None:
    dark = dict(re.findall(r"\.(\w+) { (?:color|background): (#\w{6}) !important }", mail.part("html")))
    for one in mail.html.all("body")[0].walk():
        if one.own_text and "display:none" not in one.near_style:
            color, background = one.style("color"), one.style("background")
            assert contrast(color, background) >= 4.5, (mail.kind, one.text)
            ground = dark[one.class_with("background")] if one.class_with("background") else background
            lit = dark[one.class_with("color")] if one.class_with("color") else color
            assert contrast(lit, ground) >= 4.5, (mail.kind, one.text)
    for one in mail.html.all("table", "td"):
        if "background:" in one.of.get("style", ""):
            assert one.of["bgcolor"] == re.search(r"background:(#\w+)", one.of["style"])[1], mail.kind  # type: ignore[index]


def loads_and_runs_nothing(mail: Mail) -> None:
    assert not {one.tag for one in mail.html.walk()} & {"script", "img", "link", "form", "iframe"}, mail.kind
    assert "url(" not in mail.part("html"), mail.kind
    assert all(table.of["role"] == "presentation" for table in mail.html.all("table")), mail.kind
    assert all(link.startswith(f"{BASE}/") for link in links(mail)), mail.kind


def keeps_its_buttons_in_outlook(mail: Mail) -> None:
    for button in mail.html.all("a"):
        if "padding" in button.of["style"]:
            assert button.up is not None
            assert button.up.tag == "td", mail.kind
            assert "mso-padding-alt:12px 22px" in button.up.of["style"], mail.kind
            assert f"{WRITTEN_OUT} {button.of['href']}" in visible(mail), mail.kind


def ends_with_its_reason_and_a_way_out(mail: Mail) -> None:
    for words in (visible(mail), " ".join(mail.text.split())):
        _, reason, end = words.partition("You receive this email because ")
        assert reason, mail.kind
        assert NAME in end, mail.kind
    assert links(mail)[-1] == f"{BASE}/", mail.kind
    if mail.message["List-Unsubscribe"]:
        assert mail.message["List-Unsubscribe"].strip("<>") in links(mail), mail.kind


def says_the_same_as_text(mail: Mail) -> None:
    assert not re.search(r"[ \t\r]$|\n{4}", mail.text, re.MULTILINE), mail.kind
    assert "\n\n" not in mail.text.partition("\n--\n")[2], mail.kind
    assert mail.text.endswith("\n"), mail.kind
    assert not mail.text.startswith("\n"), mail.kind
    assert set(re.findall(r"https?://\S+", mail.text)) == set(links(mail)), mail.kind
    assert plain_words(mail.text) == plain_words(re.sub(rf"{WRITTEN_OUT} \S+", "", visible(mail))), mail.kind


def plain_words(text: str) -> list[str]:
    """The words without web addresses, and without the marks that one part alone needs."""
    return re.sub(r"https?://\S+|(?m:^--$)|[·:.]", " ", text).split()


def visible(mail: Mail) -> str:
    return " ".join(
        " ".join(one.own_text.split())
        for one in mail.html.all("body")[0].pieces()
        if "display:none" not in one.near_style
    )


def links(mail: Mail) -> list[str]:
    found = [unescape(link.of["href"]) for link in mail.html.all("a")]
    assert all(urlsplit(link).netloc for link in found), mail.kind
    return found


CHECKS = (
    says_who_sends_it,
    is_text_and_html,
    has_a_language_and_fits_a_phone,
    begins_with_a_line_for_the_list_of_mails,
    is_readable_in_light_and_dark,
    loads_and_runs_nothing,
    keeps_its_buttons_in_outlook,
    ends_with_its_reason_and_a_way_out,
    says_the_same_as_text,
)

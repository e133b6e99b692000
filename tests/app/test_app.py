"""The application as a whole: it starts, every view says who may open it, tasks run in its context."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from urllib.parse import urlsplit

from quart import Quart, url_for

from app import create_app
from app.context import close, task_context
from jobs.monitor_site.web.error_pages import error_page
from settings import ROOT, Settings
from tests.app.visitor import Visitor

MONITOR_FILES, SITE = "jobs/monitor_site/static", "app/static/site.css"


async def test_the_first_page_works(app: Quart) -> None:
    response = await app.test_client().get("/")

    assert response.status_code == 200
    assert "<h1>" in await response.get_data(as_text=True)


async def test_a_page_needs_no_thread_for_plain_functions(app: Quart) -> None:
    where = []

    @app.context_processor
    def note() -> dict[str, object]:
        where.append(threading.current_thread())
        return {}

    await app.test_client().get("/")

    assert where == [threading.current_thread()]


async def test_the_navigation_says_where_the_reader_is(owner: Visitor, alice: Visitor) -> None:
    """On the page itself, and on the pages below it."""
    for reader, path, label, current in (
        (owner, "/", "Blog", "page"),
        (owner, "/posts/new", "Blog", "true"),
        (owner, "/digest/", "Digest", "page"),
        (alice, "/reminders/new", "Reminders", "true"),
        (alice, "/consents/", "Reminders", "true"),
        (alice, "/account/data", "Account", "true"),
        (alice, "/about", "", ""),
    ):
        await reader.get(path)
        [nav] = re.findall('<nav aria-label="Main">.*?</nav>', reader.text, re.DOTALL)
        marked = re.findall(r'aria-current="(\w+)">(\w+)</a>', nav)
        assert marked == [(current, label)] * bool(label), path


async def test_an_error_page_says_what_to_do_next(app: Quart, visitor: Visitor, alice: Visitor) -> None:
    for reader, offers in ((visitor, True), (alice, False)):
        await reader.get("/nowhere")
        assert ('class="button" href="/sign-in"' in reader.text) == offers
        assert "Try again" not in reader.text
    for method, code, offers in (("GET", 503, True), ("POST", 503, False), ("GET", 403, False)):
        async with app.test_request_context("/x?y=1", method=method):
            page, _ = await error_page(code)  # type: ignore[misc]
        assert ('href="">Try again' in page) == offers, (method, code)


def test_no_style_sheet_repeats_the_one_under_it() -> None:
    """Site and monitor link base.css first: what both need is there, once."""
    [base, *others] = (ROOT / path for path in (f"{MONITOR_FILES}/base.css", f"{MONITOR_FILES}/monitor.css", SITE))
    below = set(rules(base.read_text()))
    assert "button, .button" in {rule.partition(" {")[0] for rule in below}
    assert [set(rules(other.read_text())) & below for other in others] == [set(), set()]


def rules(css: str) -> list[str]:
    """Each rule outside a media query, on one line."""
    plain = re.sub(r"/\*.*?\*/|^@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", css, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(rule.split()) for rule in re.findall(r"[^{}]+\{[^{}]*\}", plain)]


def test_every_view_says_who_may_open_it(app: Quart) -> None:
    for endpoint, view in app.view_functions.items():
        assert endpoint == "static" or getattr(view, "access", None) in {"public", "signed_in", "owner"}, endpoint


async def test_a_task_makes_links_below_base_url(settings: Settings) -> None:
    app = create_app(replace(settings, base_url="https://site.example", smtp_server="mail", smtp_from="a@site.example"))

    async with task_context(app)(None):
        link = urlsplit(url_for("blog.index", _external=True))

    assert (link.scheme, link.netloc, link.path) == ("https", "site.example", "/")
    await close(app)

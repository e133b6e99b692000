"""The site in a browser: served at its address, looked at by axe, signed in with a mailed link."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.async_api import Browser, Page
from quart import Quart

from app import create_app
from settings import Settings
from tests.app.running_site import RunningSite
from tests.waiting import wait_until

AXE = (Path(__file__).parent.parent / "vendor" / "axe-core-4.14.1.min.js").read_text()


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


OF_LOOK = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
"""The rules whose answer depends on colours or widths; all others read the same document twice."""


def findings(rules: list[str]) -> str:
    return f"""axe.run({{runOnly: {rules}}}).then(
        result => result.violations.map(found => [found.id, ...found.nodes.map(node => node.html)]))"""


WIDTHS = {"light": 360, "dark": 1100}
TABLET = 840
"""The narrowest at which the monitor's tables are tables."""


@pytest.fixture
async def served(settings: Settings) -> AsyncIterator[Quart]:
    """The site, answering at its BASE_URL as `make run` serves it."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app = create_app(replace(settings, port=port, base_url=""))
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # the server closes it
    config.errorlog = None
    config.graceful_timeout = 1
    ended, started = asyncio.Event(), asyncio.Event()
    app.before_serving(lambda: started.set())
    server = asyncio.create_task(serve(app, config, shutdown_trigger=ended.wait))
    await wait_until(started.is_set, "the site to start")
    yield app
    ended.set()
    await server


async def problems(page: Page) -> list[Any]:
    """What is wrong with the page that is shown: axe's findings, and widths at which it scrolls sideways."""
    found: list[Any] = []
    await page.evaluate(AXE)
    for scheme, width in WIDTHS.items():
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 740})
        wanted = findings(RULES if scheme == "light" else OF_LOOK)
        found += [(scheme, *finding) for finding in await page.evaluate(wanted)]
        found += await too_wide(page, width)
    return [*found, *await too_wide(page, TABLET)]


async def too_wide(page: Page, width: int) -> list[tuple[int, str]]:
    await page.set_viewport_size({"width": width, "height": 740})
    is_wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [(width, "scrolls sideways")] if is_wide else []


async def tab(browser: Browser) -> Page:
    """Scripts of tests may run in it although the site's policy forbids them; colours change at once."""
    context = await browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(10_000)
    return page


async def sign_in(page: Page, site: RunningSite) -> str:
    """With a mailed link, read on the inbox page. Returns the link."""
    await page.goto(f"{site.url}/sign-in")
    await page.fill("[name=email]", "alice@example.org")
    await page.click("main button")
    await page.goto(site.inbox)
    while not await page.get_by_text("Sign in to").count():
        await page.reload()
    await page.get_by_text("Sign in to").first.click()
    link = await page.get_by_role("link", name="/sign-in/").first.get_attribute("href")
    assert link is not None
    await page.goto(link)
    await page.click("main button")
    return link

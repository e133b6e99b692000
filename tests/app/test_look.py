"""Every page in a real browser: axe-core finds nothing in light and dark, and a phone scrolls one way only."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.async_api import Browser, Page
from quart import Quart

from app import create_app
from app.accounts.links import sign_in_link
from settings import Settings
from tests.app.routes import has_fault
from tests.browser import browser
from tests.waiting import wait_until

__all__ = ["browser"]

AXE = (Path(__file__).parent.parent / "vendor" / "axe-core-4.14.1.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FINDINGS = f"""axe.run({{runOnly: {RULES}}}).then(
    result => result.violations.map(found => [found.id, ...found.nodes.map(node => node.html)]))"""
WIDTHS = {"light": 360, "dark": 1100}


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
    """What is wrong with the page that is shown: axe's findings, sideways scroll, errors of its own script."""
    found: list[Any] = []
    await page.evaluate(AXE)
    for scheme, width in WIDTHS.items():
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 740})
        found += [(scheme, *finding) for finding in await page.evaluate(FINDINGS)]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((width, "scrolls sideways"))
    return found


async def tab(browser: Browser) -> Page:
    """Scripts of tests may run in it although the site's policy forbids them; colours change at once."""
    context = await browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(10_000)
    return page


def plain_pages(app: Quart) -> list[str]:
    """Every address without a variable part."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.arguments and "static" not in rule.endpoint
    )


@pytest.mark.timeout(180)
async def test_every_page_of_the_owner_is_for_everybody(served: Quart, browser: Browser) -> None:
    """Also pages of features that this test does not know: they are read from the routes."""
    settings: Settings = served.extensions["settings"]
    page = await tab(browser)
    await page.goto(await sign_in_link(settings))
    assert await problems(page) == []
    await page.click("main button")

    for path in [*plain_pages(served), "/nowhere"]:
        response = await page.goto(settings.base_url + path)
        assert response is not None
        assert not has_fault(path, response.status), path
        if "text/html" in response.headers["content-type"]:
            assert await problems(page) == [], path


@pytest.mark.timeout(120)
async def test_every_page_of_a_stranger_is_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    page = await tab(browser)
    for path in ("/", "/sign-in", "/sign-in/over", "/nowhere"):
        await page.goto(settings.base_url + path)
        assert await problems(page) == [], path

    await page.goto(settings.base_url + "/sign-in")
    await page.fill("[name=email]", "nobody@nowhere")
    await page.click("main button")
    assert await page.get_attribute("[name=email]", "aria-invalid") == "true"
    assert await problems(page) == []

    await page.fill("[name=email]", "somebody@example.org")
    await page.click("main button")
    assert "Look into your mail" in await page.inner_text("h1")
    assert await problems(page) == []


async def test_the_browser_s_time_zone_becomes_the_account_s(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    context = await browser.new_context(timezone_id="Asia/Tokyo")
    page = await context.new_page()

    await page.goto(await sign_in_link(settings, "alice@example.org"))
    await page.click("main button")
    await page.goto(settings.base_url + "/account")

    assert await page.input_value("[name=timezone]") == "Asia/Tokyo"


async def test_everything_works_without_javascript_and_by_keyboard(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()

    await page.goto(await sign_in_link(settings, "alice@example.org"))
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await page.get_by_role("button", name="Sign out").press("Enter")
    await page.get_by_text("You are signed out.").wait_for()


async def test_the_policy_stops_scripts_that_are_not_ours(served: Quart, browser: Browser) -> None:
    """With the policy in force: ours runs, an injected one does not, and no page breaks its own policy."""
    settings: Settings = served.extensions["settings"]
    page = await (await browser.new_context()).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    await page.goto(await sign_in_link(settings))
    assert complaints == []
    assert await page.input_value("[name=timezone]") != ""
    await page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')"
    )
    await wait_until(
        lambda: any(re.search("Content.Security.Policy", text) for text in complaints), "a refusal"
    )
    assert await page.evaluate("window.hit") is None
    assert urlsplit(page.url).netloc == urlsplit(settings.base_url).netloc


async def test_a_page_with_faults_is_found_out(browser: Browser) -> None:
    page = await tab(browser)
    await page.set_content("<p style='width: 2000px; color: #eee; background: #fff'>pale</p><img src=x>")

    found = {problem[1] for problem in await problems(page)}

    assert {"color-contrast", "image-alt", "html-has-lang", "scrolls sideways"} <= found

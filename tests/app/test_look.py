"""Every page in a real browser: axe-core finds nothing in light and dark, and a phone scrolls one way only."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from quart import Quart

from app.accounts.links import sign_in_link
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.routes import furnish, has_fault
from tests.waiting import wait_until


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
async def test_every_page_of_one_thing_is_for_everybody(served: Quart, browser: Browser) -> None:
    """A post, a reminder, an issue, a mailed link: as the person who may open it. Not the monitor and not the mails."""
    settings: Settings = served.extensions["settings"]
    page, plain, looked_at = await tab(browser), {*plain_pages(served)}, 0
    await use(page, await sign_in_link(settings, "alice@example.org"))
    others = [route for route in await furnish(served) if route.feature not in ("monitor", "inbox")]
    routes = [route for route in others if route.method == "GET" and not route.path.endswith(("/html", ".ics"))]
    for access in ({"public", "signed_in"}, {"owner"}):
        for path in {route.path for route in routes if route.access in access} - plain:
            response = await page.request.get(settings.base_url + path)
            assert not has_fault(path, response.status), path
            if "text/html" in response.headers["content-type"]:  # a browser would save a calendar
                looked_at += 1
                await page.goto(settings.base_url + path)
                assert await problems(page) == [], path
        await use(page, await sign_in_link(settings))
    assert looked_at > 12


async def use(page: Page, link: str) -> None:
    await page.goto(link)
    await page.click("main button")


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
    assert await page.get_attribute("h1", "data-state") == "link-sent"
    assert await problems(page) == []


async def test_the_browser_s_time_zone_becomes_the_account_s(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    context = await browser.new_context(timezone_id="Asia/Kolkata")  # the browser calls it Asia/Calcutta
    page = await context.new_page()
    offer = page.get_by_role("button", name="the time zone of this browser")

    await page.goto(await sign_in_link(settings, "alice@example.org"))
    await page.click("main button")
    await page.goto(settings.base_url + "/account")

    assert await page.input_value("select") == "Asia/Kolkata"
    assert not await offer.count()

    await page.select_option("select", "Europe/Oslo")
    await page.click("text=Save")
    assert await page.input_value("select") == "Europe/Oslo"
    await offer.click()
    await expect(page.locator("select")).to_have_value("Asia/Kolkata")


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
    await page.locator("[data-notice=signed-out]").wait_for()


async def test_the_policy_stops_scripts_that_are_not_ours(served: Quart, browser: Browser) -> None:
    """With the policy in force: ours runs, an injected one does not, and no page breaks its own policy."""
    settings: Settings = served.extensions["settings"]
    page = await (await browser.new_context()).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    await page.goto(await sign_in_link(settings))
    assert complaints == []
    assert await page.input_value("[name=timezone]") != ""
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')")
    await wait_until(lambda: any(re.search("Content.Security.Policy", text) for text in complaints), "a refusal")
    assert await page.evaluate("window.hit") is None
    assert urlsplit(page.url).netloc == urlsplit(settings.base_url).netloc


async def test_a_page_with_faults_is_found_out(browser: Browser) -> None:
    page = await tab(browser)
    await page.set_content("<p style='width: 2000px; color: #eee; background: #fff'>pale</p><img src=x>")

    found = {problem[1] for problem in await problems(page)}

    assert {"color-contrast", "image-alt", "html-has-lang", "scrolls sideways"} <= found

"""A person at the site that `make run` starts: subscribe, confirm by the caught mail, leave, and come back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from quart import Quart

from app.accounts.links import sign_in_link
from app.database import Database
from app.subscribers import links
from app.subscribers.models import State, Subscriber
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.running_site import RunningSite

SATURDAY = re.compile(r"Saturday, \d+ \w+ \d{4}, 10:00 \(Europe/Berlin\)")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    site = await RunningSite(tmp_path / "var", TIMEZONE="Europe/Berlin").start()
    yield site
    site.kill_all()


async def ask(page: Page, site: RunningSite, who: str) -> None:
    """With the form at the foot of the first page."""
    await page.goto(site.url)
    await page.locator(".subscribe input[name=email]").fill(who)
    await page.locator(".subscribe").get_by_role("button", name="Subscribe").click()
    await page.locator("h1[data-state=confirmation-sent]").wait_for()


async def open_mail(page: Page, site: RunningSite, mails: int, link: str) -> None:
    """Follow the link in the newest mail once so many have come."""
    await page.goto(site.inbox)
    mail = page.get_by_role("link", name="the weekly digest of Quarq")
    while await mail.count() < mails:
        await page.reload()
    await mail.first.click()
    address = await page.get_by_role("link", name=link).first.get_attribute("href")
    assert address is not None
    await page.goto(address)


async def confirm(page: Page) -> None:
    await page.get_by_role("main").get_by_role("button", name="Subscribe").click()
    await page.locator("h1[data-state=confirmed]").wait_for()
    await expect(page.get_by_role("main")).to_contain_text(SATURDAY)


@pytest.mark.timeout(120)
async def test_subscribe_confirm_leave_and_come_back(site: RunningSite, browser: Browser) -> None:
    """With scripts, and another person without."""
    for javascript, who, before in ((True, "bob@example.org", 0), (False, "carol@example.org", 3)):
        page = await (await browser.new_context(java_script_enabled=javascript)).new_page()
        page.set_default_timeout(10_000)

        await ask(page, site, who)
        await open_mail(page, site, before + 1, "/subscribe/")
        await confirm(page)

        await ask(page, site, who)
        await open_mail(page, site, before + 2, "/unsubscribe/")
        await page.get_by_role("button", name="Unsubscribe", exact=True).click()
        await page.locator("h1[data-state=unsubscribed]").wait_for()

        await ask(page, site, who)
        await open_mail(page, site, before + 3, "/subscribe/")
        await confirm(page)
    logged = site.output
    assert "subscribers.send_confirmation(" in logged
    assert "bob@" not in logged
    assert "carol@" not in logged


@pytest.mark.timeout(120)
async def test_the_pages_are_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    database: Database = served.extensions["database"]
    now = datetime.now(UTC)
    async with database.transaction() as db:
        for n, state in enumerate(State):
            db.add(
                Subscriber(
                    email=f"{'long.' * 9}{n}@xn--fsqu00a.example.org",
                    state=state,
                    asked_at=now,
                    confirmed_at=None if state == State.ASKED else now,
                    ended_at=now if state in (State.UNSUBSCRIBED, State.SUPPRESSED) else None,
                    reason="The mail server answered: 550 5.1.1 no such user" if state == State.SUPPRESSED else "",
                    refusals=1,
                )
            )
    async with database.session() as db:
        them = [await db.get_one(Subscriber, pk) for pk in range(1, 5)]
    page = await tab(browser)
    for url in (
        *(links.confirm_url(one, settings) for one in them[:2]),
        *(links.unsubscribe_url(one, settings) for one in them),
        f"{settings.base_url}/subscribe/1/over",
        f"{settings.base_url}/unsubscribe/1/wrong",
    ):
        await page.goto(url)
        assert await problems(page) == [], url

    await page.goto(links.unsubscribe_url(them[2], settings))
    await page.get_by_role("button", name="Delete my address").click()
    await page.locator("h1[data-state=forgotten]").wait_for()
    assert await problems(page) == []

    await page.goto(await sign_in_link(settings))
    await page.click("main button")
    for path in ("?state=suppressed", "?q=nobody", "?page=2", "/1", "/2", "/4"):
        await page.goto(f"{settings.base_url}/subscribers{path}")
        assert await problems(page) == [], path

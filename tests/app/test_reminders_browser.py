"""A person at the site that `make run` starts: set a reminder, see it turn to sent, read the mail."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect
from quart import Quart

from app.accounts.links import sign_in_link
from app.database import Database
from app.reminders.models import Reminder, State
from app.reminders.replies.links import reply_url
from settings import Settings
from tests.app.browsing import problems, sign_in, tab
from tests.app.running_site import RunningSite


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    site = await RunningSite(tmp_path / "var").start()
    yield site
    site.kill_all()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
async def test_from_the_page_to_the_inbox(site: RunningSite, browser: Browser, javascript: bool) -> None:
    context = await browser.new_context(java_script_enabled=javascript, timezone_id="Asia/Tokyo")
    page = await context.new_page()
    page.set_default_timeout(10_000)
    await sign_in(page, site)

    await page.goto(f"{site.url}/reminders/")
    await page.get_by_role("link", name="Set a reminder").click()
    await page.get_by_label("Text").fill("给植物浇水 🌱")
    zone = timedelta(hours=9) if javascript else timedelta(0)  # Tokyo, known by script; else the site's own
    when = datetime.now(UTC) + zone + timedelta(seconds=2.5)
    if javascript:
        await page.get_by_label("When").fill("fri 9:00")
        await page.locator("#shown", has_text="That is Friday").wait_for()
        await page.get_by_role("button", name="next month").click()  # fills in, and leaves the text
        await page.locator("#shown", has_text="09:00 (Asia/Tokyo)").wait_for()
        when = datetime.now(UTC) + zone + timedelta(seconds=2.5)
    await page.get_by_label("Date and time").fill(when.strftime("%Y-%m-%dT%H:%M:%S"))
    await expect(page.get_by_label("When")).to_have_value("")
    await page.get_by_role("button", name="Set reminder").click()
    await page.locator("[data-notice=saved]").wait_for()
    await expect(page.locator(".badge")).to_have_text("sent", timeout=15_000)

    await page.goto(site.inbox)
    await page.get_by_text("Your reminder").first.click()
    await expect(page.locator(".mail-text")).to_contain_text("给植物浇水 🌱")
    link = re.search(r"http://\S+do=tomorrow", await page.locator(".mail-text").inner_text())
    assert link is not None
    await page.goto(link[0])
    await page.get_by_role("button", name="Tomorrow").click()
    await page.locator("[data-notice=snoozed]", has_text="09:00").wait_for()

    if javascript:  # the bar at the foot sets one in ten seconds: too long to wait for it twice
        await page.goto(site.url)
        await page.get_by_role("button", name="Send a reminder in 10 s").click()
        await page.locator("[data-notice=saved]", has_text="in 10 seconds").wait_for()
        await expect(page.locator(".badge")).to_have_text("sent", timeout=20_000)


@pytest.mark.timeout(120)
async def test_pages_with_reminders_in_every_state_are_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    database: Database = served.extensions["database"]
    async with database.session() as db:
        for state in State:
            db.add(
                Reminder(
                    date=datetime.now(UTC) + timedelta(minutes=5),
                    email="alice@example.org",
                    text=f"{state} {'word' * 100} תזכורת",
                    state=state,
                    attempts=3,
                    reason="The mail server answered: 451 4.3.0 later",
                    next_try_at=datetime.now(UTC) + timedelta(minutes=10),
                    sent_at=datetime.now(UTC) if state == State.SENT else None,
                )
            )
        await db.commit()
        reply = urlsplit(reply_url(await db.get_one(Reminder, 1), settings)).path
    page = await tab(browser)
    await page.goto(await sign_in_link(settings, "alice@example.org"))
    await page.click("main button")

    await page.goto(f"{settings.base_url}/reminders/new?words=in+2+days")
    await page.locator("#repeat").select_option("daily")
    await page.get_by_label("Text").fill("Every day")
    await page.get_by_role("button", name="Set reminder").click()
    await page.goto(f"{settings.base_url}/reminders/calendar")
    await page.get_by_role("button", name="Make an address").click()
    of_series = (
        "/reminders/9",
        "/reminders/9/edit",
        "/reminders/new?words=fri",
        "/reminders/calendar",
        f"{reply}?do=done",
    )
    for path in (
        *of_series,
        "/reminders/",
        "/reminders/sent",
        "/reminders/1/edit",
        *(f"/reminders/{pk}" for pk in range(1, 6)),
    ):
        await page.goto(settings.base_url + path)
        assert await problems(page) == [], path
    await page.goto(f"{settings.base_url}/reminders/new")
    await page.get_by_label("Date and time").fill("2020-01-01T10:00")
    await page.get_by_label("Text").fill(" ")
    await page.get_by_role("button", name="Set reminder").click()
    assert await problems(page) == []
    assert await page.input_value("[name=when]") == "2020-01-01T10:00"

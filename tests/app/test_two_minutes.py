"""The first two minutes of a newcomer: `make run`, a reminder in the inbox, a finished chord of 10,000."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.app.running_site import RunningSite


@pytest.mark.timeout(180)
async def test_from_the_start_to_a_sent_reminder_and_a_finished_chord(tmp_path: Path, browser: Browser) -> None:
    began = time.monotonic()
    site = RunningSite(tmp_path / "var")
    try:
        await site.start()
        [link] = [word for word in site.output.split() if "/sign-in/" in word]
        page = await browser.new_page()
        page.set_default_timeout(30_000)
        await page.goto(site.inbox)
        await page.goto(link)
        await page.click("main button")

        await page.get_by_role("button", name="Send a reminder in 10 s").click()
        await page.get_by_role("link", name="Playground").click()
        await page.get_by_role("button", name="Run: A chord of 10,000").click()
        await expect(page.locator("#run-chord .badge")).to_have_text("SUCCESS", timeout=60_000)
        await expect(page.locator("#run-chord")).to_contain_text("10,001 of 10,001")

        await page.get_by_role("link", name="Inbox").click()
        await page.get_by_text("Your reminder").first.click(timeout=60_000)  # the page looks for mail by itself
        await expect(page.locator(".mail-text")).to_contain_text("10 seconds before it was sent")
    finally:
        site.kill_all()

    assert time.monotonic() - began < 120

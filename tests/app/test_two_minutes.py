"""The first two minutes of a newcomer: `make run`, one link, four steps, and the job behind each of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.app.browsing import problems, tab
from tests.app.running_site import RunningSite

JOBS = {
    "confirmation:1:": "subscribers.send_confirmation",
    "reminder:1:0": "reminders.remind",
    "digest:1": "digest.send",
}
"""The beginning of each job's id, and its task."""
MAILS = {"subscribe": "Confirm", "remind": "reminder", "digest": "Digest"}
"""A word of the subject of each step's email."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    site = await RunningSite(tmp_path / "var").start()
    yield site
    site.kill_all()


async def ticked(page: Page, step: str) -> None:
    """Without a reload: the page fetches the steps anew."""
    await page.locator(f"[data-step={step}][data-state=done]").wait_for(timeout=40_000)


@pytest.mark.timeout(180)
async def test_from_one_command_to_the_fourth_tick(site: RunningSite, browser: Browser) -> None:
    began = time.monotonic()
    [link] = [word for word in site.output.split() if "/sign-in/" in word]
    page = await tab(browser)
    page.set_default_timeout(30_000)
    await page.goto(link)
    await page.click("main button")
    assert page.url == f"{site.url}/"
    assert await problems(page) == []

    await page.get_by_role("button", name="Remind me in 10 seconds").click()
    await page.get_by_role("button", name="Add sample posts").click()
    await ticked(page, "post")
    await page.get_by_role("button", name="Subscribe owner@localhost").click()
    await confirm_in_another_tab(page, site)
    assert await problems(page) == []
    await ticked(page, "remind")
    await run_the_digest(page)
    await page.get_by_role("link", name="First steps").click()
    await ticked(page, "digest")
    assert await page.locator("[data-state=steps-done]").get_attribute("data-count") == "4"
    assert await problems(page) == []

    await look_at_every_job_and_mail(page, site)
    assert time.monotonic() - began < 120


async def confirm_in_another_tab(page: Page, site: RunningSite) -> None:
    """The link keeps the focus, and the tick comes all the same."""
    link = page.locator("[data-step=subscribe]").get_by_role("link", name="Email in the inbox")
    await link.focus()
    other = await page.context.new_page()
    await other.goto(site.url + (await link.get_attribute("href") or ""))
    await other.get_by_role("link", name="/subscribe/").first.click()
    await other.get_by_role("main").get_by_role("button", name="Subscribe").click()
    await other.locator("h1[data-state=confirmed]").wait_for()
    await other.close()
    await ticked(page, "subscribe")
    await expect(link).to_be_focused()


async def run_the_digest(page: Page) -> None:
    await page.get_by_role("link", name="Run the digest").click()
    await page.fill("[name=typed]", "1")
    await page.get_by_role("button", name="Send to 1 subscriber").click()
    await page.get_by_role("button", name="Send now").click()


async def look_at_every_job_and_mail(page: Page, site: RunningSite) -> None:
    links = page.locator("#first-steps a[href*='/monitor/job?id=']")
    addresses = [await link.get_attribute("href") or "" for link in await links.all()]
    ids = [address.partition("id=")[2].replace("%3A", ":") for address in addresses]
    assert [job.startswith(begins) for job, begins in zip(ids, JOBS, strict=True)] == [True] * len(JOBS)
    for address, job, task in zip(addresses, ids, JOBS.values(), strict=True):
        await page.goto(site.url + address)
        await expect(page.locator("h1")).to_have_text(task)
        await expect(page.locator(".sentence .badge")).to_have_text("SUCCESS")
        await expect(page.get_by_role("main")).to_contain_text(job)
    for step, subject in MAILS.items():
        await page.goto(site.url)
        await page.locator(f"[data-step={step}]").get_by_role("link", name="Email in the inbox").click()
        await expect(page.locator("h1")).to_contain_text(subject)

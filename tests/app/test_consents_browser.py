"""Alice reminds Bob: he is asked, agrees, gets it, wants no more; and what nobody else learns of all that."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from quart import Quart

from app.accounts.links import sign_in_link
from app.database import Database
from app.reminders.consents import links
from app.reminders.consents.models import Answer, Consent
from settings import Settings
from tests.app.browsing import problems, sign_in, tab
from tests.app.running_site import RunningSite

TEXT = "water the plants"
METRICS_TOKEN = "only for this test"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    site = await RunningSite(tmp_path / "var", METRICS_TOKEN=METRICS_TOKEN).start()
    yield site
    site.kill_all()


@pytest.fixture
async def page(browser: Browser) -> Page:
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(15_000)
    return page


async def open_mail(page: Page, site: RunningSite, subject: str | re.Pattern[str]) -> None:
    """The newest mail with this subject, once it has come."""
    await page.goto(site.inbox)
    await page.get_by_text(subject).first.click(timeout=30_000)  # the page looks for mail by itself
    await page.locator(".mail-text").wait_for()


async def link_in_mail(page: Page, part: str) -> str:
    link = await page.get_by_role("link", name=part).first.get_attribute("href")
    assert link is not None
    return link


async def set_reminder(page: Page, site: RunningSite, *, to: str = "", seconds: float) -> None:
    await page.goto(f"{site.url}/reminders/new")
    await page.get_by_label("Text").fill(TEXT)
    await page.get_by_label("To", exact=True).fill(to)
    when = datetime.now(UTC) + timedelta(seconds=seconds)
    await page.get_by_label("Date and time").fill(when.strftime("%Y-%m-%dT%H:%M:%S"))
    await page.get_by_role("button", name="Set reminder").click()
    await page.locator("[data-notice=saved], [data-notice=asked-first]").wait_for()


def written(site: RunningSite) -> bytes:
    """All that Redis has on disk: every command that changed something since it began."""
    return b"".join(file.read_bytes() for file in (site.data_dir / "redis").rglob("*") if file.is_file())


def token(link: str) -> str:
    return link.rpartition("/")[2]


async def read_a_digest(page: Page, site: RunningSite, browser: Browser) -> list[str]:
    """Alice subscribes, the owner publishes, tests and sends, looks into it and into the monitor, and Alice reads it.
    The tokens in her mails."""
    await page.goto(site.url)
    await page.locator("footer [name=email]").fill("alice@example.org")
    await page.get_by_role("button", name="Subscribe").click()
    await open_mail(page, site, "the weekly digest of")
    subscribe = await link_in_mail(page, "/subscribe/")
    await page.goto(subscribe)
    await page.locator("main button").first.click()

    owner = await (await browser.new_context()).new_page()
    owner.set_default_timeout(15_000)
    await owner.goto(next(word for word in site.output.split() if "/sign-in/" in word))
    await owner.click("main button")
    await owner.goto(f"{site.url}/posts/new")
    await owner.get_by_label("Title").fill("News")
    await owner.get_by_label("Text").fill("Some words")
    await owner.get_by_role("button", name="Publish now").click()
    await owner.goto(f"{site.url}/digest/")
    await owner.get_by_role("link", name="Run now (1 email)").click()
    await owner.get_by_label("Type the number of subscribers").fill("1")
    await owner.get_by_role("button", name="Send to 1 subscriber").click()
    await owner.get_by_role("button", name="Send now").click()
    await open_mail(page, site, re.compile("Weekly Digest"))
    unsubscribe = await link_in_mail(page, "/unsubscribe/")
    await owner.goto(f"{site.url}/digest/1")
    await owner.get_by_role("button", name="Send me a test").click()
    await owner.locator("[data-notice=test-sent]").wait_for()
    for path in ("/subscribers?q=alice@example.org", "/digest/1", "/monitor/", "/monitor/jobs?text=alice@example.org"):
        await owner.goto(f"{site.url}{path}")
        await expect(owner.locator("h1")).to_be_visible()
    await owner.locator("[data-state=empty]").wait_for()
    return [token(subscribe), token(unsubscribe)]


@pytest.mark.timeout(240)
async def test_from_the_request_to_no_more_and_the_end_of_the_account(
    site: RunningSite, browser: Browser, page: Page, tmp_path: Path
) -> None:
    """A whole visit, at the end of which neither logs nor Redis nor metrics hold an address, a text or a link of it."""
    tokens = [token(await sign_in(page, site))]
    bob = await (await browser.new_context()).new_page()
    bob.set_default_timeout(15_000)

    await set_reminder(page, site, to="bob@example.org", seconds=30)
    await page.locator("[data-notice=asked-first]").wait_for()
    await page.locator(".badge[data-state=waiting]").wait_for()
    reminder = page.url

    await open_mail(bob, site, "wants to send you reminders")
    await expect(bob.locator(".mail-text")).to_contain_text("alice@example.org")
    await expect(bob.locator(".mail-text")).not_to_contain_text(TEXT)
    answer = await link_in_mail(bob, "/consents/")
    await bob.goto(answer)
    await bob.get_by_role("button", name="Yes, allow reminders").click()
    await bob.locator("h1[data-state=agreed]").wait_for()

    await page.goto(reminder)
    await expect(page.locator(".badge")).to_have_text("sent", timeout=45_000)
    await open_mail(bob, site, "A reminder for you")
    await expect(bob.locator(".mail-text")).to_contain_text(TEXT)
    stop = await link_in_mail(bob, "/no-more/")
    await set_reminder(page, site, to="bob@example.org", seconds=3600)
    await expect(page.locator(".badge")).to_have_text("scheduled")
    await bob.goto(stop)
    await bob.get_by_role("button", name="Stop reminders").click()
    await bob.locator("h1[data-state=declined]").wait_for()
    await page.reload()
    await expect(page.locator(".badge")).to_have_text("declined")

    tokens += await read_a_digest(page, site, browser)

    await set_reminder(page, site, seconds=3600)
    await page.goto(f"{site.url}/account")
    await page.get_by_role("link", name="Your data").click()
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download everything").click()
    file = tmp_path / "account.json"
    await (await downloading.value).save_as(file)
    known = json.loads(file.read_text())
    assert [row["text"] for row in known["reminders"]] == [TEXT] * 3
    assert [row["state"] for row in known["subscription"]] == ["confirmed"]
    await page.get_by_label("To confirm").fill("alice@example.org")
    await page.get_by_role("button", name="Delete account").click()
    await page.locator("[data-notice=account-deleted]").wait_for()
    await page.goto(reminder)
    assert page.url.endswith("/sign-in")

    tokens += [token(answer), token(stop)]
    logged, stored = site.output, written(site)
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    measured = await (await page.request.get(f"{site.url}/metrics", headers=headers)).text()
    for task in (
        "accounts.send_sign_in_link",
        "reminders.ask_for_consent",
        "digest.send",
        "subscribers.send_confirmation",
    ):
        assert f"{task}(" in logged
        assert task.encode() in stored
        assert task in measured
    assert len(set(tokens)) == 5
    for secret in ("alice@example.org", "bob@example.org", TEXT, *tokens):
        assert secret not in logged
        assert secret.encode() not in stored
        assert secret not in measured


@pytest.mark.timeout(120)
async def test_pages_of_consents_are_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    database: Database = served.extensions["database"]
    page = await tab(browser)
    await page.goto(await sign_in_link(settings, "alice@example.org"))
    await page.click("main button")
    async with database.session() as db:
        consents = [Consent(account_id=1, email=f"{answer}@example.org", answer=answer) for answer in Answer]
        db.add_all(consents)
        await db.commit()

    for consent in consents:
        for make in (links.answer_url, links.stop_url):
            await page.goto(make(consent, settings))
            assert await problems(page) == [], consent.answer
    await page.goto(f"{settings.base_url}/account/data")
    await page.get_by_label("To confirm").fill("nobody@example.org")
    await page.get_by_role("button", name="Delete account").click()
    await expect(page.locator(".error")).to_contain_text("Nothing was deleted")
    assert await problems(page) == []

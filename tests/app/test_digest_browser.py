"""The digest in a real browser: its pages are for everybody, and a post comes to a reader who then leaves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from quart import Quart
from sqlalchemy import select, update

from app.accounts.links import sign_in_link
from app.blog import Post
from app.database import Database
from app.digest import choosing
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.running_site import RunningSite


async def fill(app: Quart) -> None:
    """A digest in each state, with deliveries in each step, and posts for the next one."""
    database: Database = app.extensions["database"]
    now = datetime.now(UTC)
    async with database.session() as db:
        confirmed = subscribers.State.CONFIRMED
        db.add_all(Subscriber(email=f"reader{n}@example.org", state=confirmed) for n in range(60))
        await db.commit()
    for number, state in enumerate(State):
        async with database.session() as db:
            db.add(Post(title=f"给自己 {'Long' * 30} שלום", text="字 word " * 300, published_at=now))
            await db.commit()
        async with app.app_context():
            pk = await choosing.begin(f"run {number}")
        async with database.session() as db:
            trouble = {"reason": "The mail server answered: 535 5.7.8 no", "unreachable_since": now}
            began_at = now - timedelta(hours=1)
            values = {"state": state, "began_at": began_at, "number": number or None} | trouble
            await db.execute(update(Digest).where(Digest.id == pk).values(**values))
            ids = list(await db.scalars(select(Delivery.id).where(Delivery.digest_id == pk)))
            for place, pk_ in enumerate(ids):
                step = list(Step)[place % len(Step)] if place < 30 else Step.SENT
                await db.execute(update(Delivery).where(Delivery.id == pk_).values(step=step, reason="451 later " * 20))
            await db.commit()
    async with database.session() as db:
        db.add(Post(title="New", text="Words", published_at=now))
        await db.commit()


@pytest.mark.timeout(120)
async def test_pages_with_digests_in_every_state_are_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    await fill(served)
    page = await tab(browser)
    await page.goto(await sign_in_link(settings))
    await page.click("main button")

    paths = (f"/digest/{pk}" for pk in range(1, len(State) + 1))
    for path in ("/", "/digest/", "/issues/", "/issues/2", "/digest/0/preview?as=phone", *paths):
        await page.goto(settings.base_url + path)
        assert await problems(page) == [], path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    site = await RunningSite(tmp_path / "var").start()
    yield site
    site.kill_all()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
async def test_from_a_post_to_a_reader_who_leaves(site: RunningSite, browser: Browser, javascript: bool) -> None:
    """At the site that `make run` starts: publish, subscribe, run the digest now, read the mail, unsubscribe."""
    owner = await (await browser.new_context(java_script_enabled=javascript)).new_page()
    reader = await (await browser.new_context(java_script_enabled=javascript)).new_page()
    for page in (owner, reader):
        page.set_default_timeout(15_000)
    await owner.goto(next(word for word in site.output.split() if "/sign-in/" in word))
    await owner.click("main button")
    await owner.goto(f"{site.url}/posts/new")
    await owner.get_by_label("Title").fill("给自己 🌱")
    await owner.get_by_label("Text").fill("Some **bold** words")
    await owner.get_by_role("button", name="Publish now").click()

    await reader.goto(f"{site.url}/subscribe")
    await reader.locator("main [name=email]").fill("alice@example.org")
    await reader.locator("main").get_by_role("button", name="Subscribe").click()
    mail = await open_mail(reader, site, "Confirm")
    await reader.goto(await link_in(mail, "/subscribe/"))
    await reader.locator("main").get_by_role("button", name="Subscribe").click()
    await reader.locator("h1[data-state=confirmed]").wait_for()

    await owner.goto(f"{site.url}/digest/")
    await owner.locator("[data-state=new-posts][data-count='1']").wait_for()
    for then, notice in (("Undo", "undone"), ("Send now (1 email)", "begun")):
        await owner.get_by_role("link", name="Run now (1 email)").click()
        await owner.get_by_label("Type the number of subscribers").fill("1")
        await owner.get_by_role("button", name="Send to 1 subscriber").click()
        await owner.locator("[data-notice=on-its-way]").wait_for()
        await owner.get_by_role("button", name=then).click()
        await owner.locator(f"[data-notice={notice}]").wait_for()

    mail = await open_mail(reader, site, "Weekly Digest")
    await expect(mail.locator(".mail-text")).to_contain_text("给自己 🌱")
    framed = mail.frame_locator("iframe.mail-html")
    await expect(framed.get_by_role("link", name="给自己 🌱")).to_be_visible()
    await reader.goto(await link_in(mail, "/unsubscribe/"))
    await reader.get_by_role("button", name="Unsubscribe", exact=True).click()
    await reader.locator("h1[data-state=unsubscribed]").wait_for()

    await owner.goto(f"{site.url}/digest/2")
    await owner.locator("[data-state=sent][data-count='1']").wait_for()
    await owner.goto(f"{site.url}/digest/")
    await owner.locator("[data-state=nothing-new]").wait_for()
    database = Database(f"sqlite+aiosqlite:///{site.data_dir}/site.db")
    async with database.session() as db:
        assert list(await db.scalars(select(Subscriber.state))) == [subscribers.State.UNSUBSCRIBED]
    await database.close()


async def open_mail(page: Page, site: RunningSite, subject: str) -> Page:
    """The newest mail whose subject begins like this, once it is there."""
    await page.goto(site.inbox)
    link = page.get_by_role("link", name=re.compile(f"^{subject}"))
    while not await link.count():
        await page.reload()
    await link.first.click()
    return page


async def link_in(page: Page, part: str) -> str:
    found = await page.locator(".mail-text").get_by_role("link", name=part).first.get_attribute("href")
    assert found is not None
    return found

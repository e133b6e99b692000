"""The blog in a real browser: write and publish, and no post runs a script or leaves the screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, expect
from quart import Quart

from app.accounts.links import sign_in_link
from app.blog import Post
from app.database import Database
from settings import Settings
from tests.app.browsing import problems, tab, too_wide
from tests.app.harm import ATTACKS


def png(side: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (side, side), "red").save(file, "PNG")
    return file.getvalue()


ROUGH = f"""
# {"Longword" * 20}

### Deeper

{"word" * 100} `{"code" * 60}`

```
{"a line that is wider than any telephone " * 5}
```

| {" | ".join("column" + str(n) for n in range(12))} |
|{"---|" * 12}
| {" | ".join("value" * 3 for n in range(12))} |

> quoted {"字" * 80}

- פריט ברשימה
  1. nested
     - deeper
"""


async def enter(browser: Browser, settings: Settings, **options: bool) -> BrowserContext:
    """The owner's browser, signed in."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto(await sign_in_link(settings))
    await page.click("main button")
    await page.close()
    return context


@pytest.mark.timeout(90)
async def test_write_publish_and_read_without_scripts(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    owner = await (await enter(browser, settings, java_script_enabled=False)).new_page()
    reader = await (await browser.new_context(java_script_enabled=False)).new_page()

    await owner.goto(settings.base_url)
    await owner.get_by_role("link", name="Write a post").click()
    await owner.get_by_label("Title").fill("给自己 🌱")
    await owner.get_by_label("Text").fill("Some **bold** words")
    await owner.get_by_role("button", name="Preview").click()
    await expect(owner.locator("#preview strong")).to_have_text("bold")
    await owner.get_by_role("button", name="Save draft").click()
    await owner.locator("[data-notice=draft]").wait_for()
    answer = await reader.goto(owner.url)
    assert answer is not None
    assert answer.status == 404
    await owner.get_by_role("button", name="Publish now").click()

    await reader.goto(settings.base_url)
    await reader.get_by_role("link", name="给自己").click()
    await expect(reader.locator("h1")).to_have_text("给自己 🌱")
    await expect(reader.locator(".post-text strong")).to_have_text("bold")


@pytest.mark.timeout(90)
async def test_nothing_typed_is_lost(served: Quart, browser: Browser) -> None:
    """Type, close the tab, come back, restore, add a picture, look at the preview next to the text, publish."""
    settings: Settings = served.extensions["settings"]
    context = await enter(browser, settings)
    tab = await context.new_page()
    await tab.goto(settings.base_url + "/posts/new")
    await tab.get_by_label("Title").fill("Kept")
    await tab.get_by_label("Text").fill("Some **bold** words")
    await expect(tab.locator("#preview strong")).to_have_text("bold")
    await tab.get_by_label("Text").press("End")
    await tab.keyboard.type(" and the last one")
    await tab.close(run_before_unload=True)

    again = await context.new_page()
    await again.goto(settings.base_url + "/posts/new")
    while not await again.get_by_role("link", name="Restore").count():
        await again.reload()
    await again.get_by_role("link", name="Restore").click()
    await expect(again.get_by_label("Text")).to_have_value("Some **bold** words and the last one")
    await expect(again.locator("#preview .post-text")).to_contain_text("the last one")
    await again.locator("[data-pictures]").set_input_files(
        [{"name": "x.png", "mimeType": "image/png", "buffer": png(3)}]
    )
    await expect(again.locator("#preview img")).to_have_js_property("naturalWidth", 3)
    await again.keyboard.type("A red square")
    await expect(again.locator("#preview img")).to_have_attribute("alt", "A red square")
    assert await too_wide(again, 360) == []
    await again.get_by_role("button", name="Publish now").click()

    await again.locator("[data-notice=published]").wait_for()
    await again.goto(settings.base_url + "/posts/drafts")
    assert await again.locator("[data-state=unsaved]").count() == 0
    await context.close()


@pytest.mark.timeout(120)
async def test_every_page_of_the_blog_is_for_everybody(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    page = await tab(browser)
    await page.goto(await sign_in_link(settings))
    await page.click("main button")
    await page.goto(settings.base_url)
    await page.get_by_role("button", name="Add sample posts").click()
    await page.locator("[data-notice=samples]").wait_for()
    database: Database = served.extensions["database"]
    async with database.session() as db:
        now = datetime.now(UTC)
        db.add(Post(title="Longtitle" * 20, text=ROUGH, published_at=now))
        db.add(Post(title="A draft", text="# a"))
        db.add(Post(title="Waits", text="# a", published_at=now + timedelta(days=2)))
        db.add_all(Post(title=f"More {n}", text="x", published_at=now - timedelta(days=9)) for n in range(9))
        await db.commit()

    for path in ("", "?page=2", "posts/drafts", "posts/5/edit", *(f"posts/{pk}" for pk in range(1, 8))):
        await page.goto(f"{settings.base_url}/{path}")
        assert await problems(page) == [], path
    await page.goto(f"{settings.base_url}/posts/new")
    await page.get_by_label("Title").fill(" ")
    await page.get_by_label("Text").fill("kept")
    await page.get_by_label("Or publish at").fill("2020-01-01T10:00")
    await page.get_by_role("button", name="Publish at this time").click()
    await expect(page.get_by_label("Text")).to_have_value("kept")
    assert await problems(page) == []


@pytest.mark.timeout(120)
async def test_no_post_runs_a_script(served: Quart, browser: Browser) -> None:
    """Even with the site's policy switched off: nothing that would run reaches the page."""
    settings: Settings = served.extensions["settings"]
    database: Database = served.extensions["database"]
    async with database.session() as db:
        now = datetime.now(UTC)
        db.add_all(Post(title=attack, text=attack, published_at=now) for attack in ATTACKS)
        db.add(Post(title="All", text="\n\n".join(ATTACKS), published_at=now))
        await db.commit()
    page = await tab(browser)
    alarms: list[str] = []
    page.on("dialog", lambda dialog: alarms.append(dialog.message))

    for path in (*(f"/?page={n}" for n in range(1, 5)), *(f"/posts/{pk}" for pk in range(1, len(ATTACKS) + 2))):
        await page.goto(settings.base_url + path)
        assert await page.locator(".post script, .post-beginning script, .post iframe, .post form").count() == 0
        for link in await page.locator(".post-text a").all():
            await link.dispatch_event("mouseover")
            assert not (await link.get_attribute("href") or "").lower().startswith(("javascript", "vbscript", "data"))

    assert alarms == []

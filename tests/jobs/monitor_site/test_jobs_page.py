"""The list of jobs and the frame around every page, as an operator uses them: in a browser, and without scripts."""

from __future__ import annotations

import re
from random import randrange
from urllib.parse import quote, unquote

import pytest
from playwright.async_api import Browser, Page, expect

from jobs import JobsRedis, Result, monitor
from jobs.monitor_site import live
from jobs.monitor_site.model import search
from tests.app.browsing import tab
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.shop import echo, fail, shop_worker, slow
from tests.waiting import wait_until

ROWS = ".lines tbody tr"
ON_SCREEN = f"[...document.querySelectorAll('{ROWS}')].filter(row => row.getBoundingClientRect().bottom <= innerHeight)"


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live pages are looked at quickly."""
    monkeypatch.setattr(live, "EVERY_S", 0.1)
    monkeypatch.setattr(live, "LOAD", 0.5)


async def keys_of(page: Page) -> list[str]:
    found: list[str] = await page.eval_on_selector_all(ROWS, "rows => rows.map(row => row.dataset.key)")
    return found


async def test_many_jobs_fit_on_the_first_screen(served: str, browser: Browser, connection: JobsRedis) -> None:
    page = await tab(browser)
    for n in range(50):
        await echo.apply_async(("long " * 50, {"n": n}), {"customer_id": 7}, countdown=600)

    for width, height, least, line in (
        (1440, 900, 20, ""), (360, 740, 6, ""), (360, 740, 6, "task:shop.* customer_id:7 since:1h"),
        (1440, 900, 20, "task:shop.* customer_id:7 since:1h"),
    ):  # fmt: skip
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(f"{served}/jobs?q={quote(line)}")
        rows = await page.evaluate(f"{ON_SCREEN}.map(row => row.getBoundingClientRect().height)")
        assert len(rows) >= least, (width, len(rows))
        assert len(set(rows)) == 1, "no row is taller for what it shows"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.eval_on_selector(".top", "bar => bar.getBoundingClientRect().height") == 48


async def test_no_row_moves_while_somebody_looks_and_new_ones_wait(
    fast: None, served: str, browser: Browser, connection: JobsRedis, redis_url: str
) -> None:
    page = await tab(browser)
    async with shop_worker(redis_url):
        first = [await echo.delay(n) for n in range(5)]
        for job in first:
            await job.get(timeout=10)
        waiting = await echo.apply_async(("soon",), countdown=600)
        await page.goto(f"{served}/jobs")
        await expect(page.locator("#live-state")).to_have_text("Live")
        before = await keys_of(page)
        assert len(before) == 6

        newer = [await fail.delay(str(n)) for n in range(3)]
        await page.get_by_role("button", name="3 new").wait_for()
        await monitor.revoke(connection, waiting.id)
        row = page.locator(f'[data-key="row-{waiting.id}"]')
        await expect(row.locator(".badge")).to_have_text("REVOKED")

        assert await keys_of(page) == before
        await page.get_by_role("button", name="3 new").click()
        assert len(await keys_of(page)) == 9
        assert {f"row-{job.id}" for job in newer} <= set(await keys_of(page))
        await expect(page.locator("[data-fresh]")).to_be_hidden()


async def test_rows_stay_where_a_search_ended_before_it_had_found_them_again(
    fast: None, served: str, browser: Browser, connection: JobsRedis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await tab(browser)
    failed = page.locator("nav.side [data-figure=failed]")
    async with shop_worker(redis_url):
        for text in ("needle 1", *["hay"] * 6, "needle 2"):
            await (await echo.delay(text)).get(timeout=10)
        monkeypatch.setattr(search, "RECORDS_PER_STEP", 2)
        monkeypatch.setitem(monitor.find.__kwdefaults__, "patience_s", 10)
        await page.goto(f"{served}/jobs?q=needle")
        both = await keys_of(page)
        assert len(both) == 2

        monkeypatch.setitem(monitor.find.__kwdefaults__, "patience_s", 0)
        await (await fail.delay("hay")).get(timeout=10, propagate=False)
        await page.get_by_role("link", name="Search older").wait_for()
        assert await page.locator(".lines .gone").count() == 0, "the newer one was found"
        for n in range(2, 6):
            await (await fail.delay("hay")).get(timeout=10, propagate=False)
            await expect(failed).to_have_text(str(n))

        assert await keys_of(page) == both, "none was"
        assert await page.locator(".lines .gone").count() == 0


async def test_by_keys_alone(served: str, browser: Browser, connection: JobsRedis) -> None:
    page = await tab(browser)
    ids = [(await echo.apply_async((n,), countdown=600 + n)).id for n in range(4)]
    await page.goto(f"{served}/")

    await page.keyboard.press("/")
    await page.keyboard.type("state:sch")
    await expect(page.locator("#names option").first).to_have_attribute("value", "state:scheduled")
    await page.keyboard.type("eduled")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/jobs?q=state*")
    assert await keys_of(page) == [f"row-{job_id}" for job_id in ids]
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")
    for key in ("j", "j", "j", "k", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url(f"**/job?id={ids[1]}")
    await page.keyboard.press("Control+k")
    await page.keyboard.type(f" {ids[3]} ")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/job?id={ids[3]}")


async def test_filters_are_links_and_forms_without_scripts(
    served: str, browser: Browser, connection: JobsRedis, redis_url: str
) -> None:
    tenant = randrange(1_000, 9_999)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    page.set_default_timeout(10_000)
    async with shop_worker(redis_url):
        failed = []
        for n in range(3):
            failed.append(await fail.delay(f"no luck {n}"))
            await failed[n].get(timeout=10, propagate=False)
        mine = await echo.apply_async(("x",), {"tenant": tenant}, countdown=600)
        await page.goto(f"{served}/")

        await page.locator(".side").get_by_role("link", name="Failed 3").click()
        assert await page.title() == "3 failed jobs · state:failed since:1h · Monitor"
        assert len(await keys_of(page)) == 3
        await page.get_by_role("navigation", name="Order").get_by_role("link", name="Oldest").click()
        assert await keys_of(page) == [f"row-{job.id}" for job in failed]
        await page.get_by_role("link", name="since 1h").click()
        assert await page.input_value("#query") == "state:failed sort:oldest"
        await page.get_by_role("link", name="Clear filters").click()
        await page.get_by_label("An id, or a query").fill(f"tenant:{tenant}")
        await page.get_by_role("button", name="Find").click()
        assert await keys_of(page) == [f"row-{mine.id}"]
        await page.get_by_label("An id, or a query").fill("took:>2 parsecs")
        await page.get_by_role("button", name="Find").click()
        await page.locator("[data-error=wrong-query]", has_text="took:>2: write 2s, 300ms, 5m or 1h").wait_for()
        assert await page.input_value("#query") == "took:>2 parsecs"


async def test_selected_jobs_and_all_that_match_lead_to_a_plan(
    served: str, browser: Browser, connection: JobsRedis
) -> None:
    page = await tab(browser)
    for n in range(4):
        await (await echo.apply_async((n,), countdown=600)).revoke()
    await page.goto(f"{served}/jobs?q=task:shop.echo")

    for key in ("j", "x", "j", "j", "x", "r"):
        await page.keyboard.press(key)
    await expect(page.locator("[data-state=jobs]")).to_have_attribute("data-count", "2")
    await page.goto(f"{served}/jobs?q=task:shop.echo")
    await page.get_by_role("link", name="Select all 4 matching").click()
    await page.get_by_role("button", name="Plan").click()
    await expect(page.locator("[data-state=jobs]")).to_have_attribute("data-count", "4")


async def test_a_job_that_runs_much_longer_than_usual_and_the_newest_version_are_marked(
    connection: JobsRedis, owner: Visitor, redis_url: str
) -> None:
    async with shop_worker(redis_url, version="2026-12-01 <new>"):
        for job in [await slow.delay(0) for _ in range(10)]:
            await job.get(timeout=10)
        runs, stuck = [await slow.delay(60) for _ in range(2)]
        for job in (runs, stuck):
            await wait_until(lambda job=job: has_begun(job), "the job to run")
        began = (await connection.time())[0] - 40
        await connection.hset(f"jobs:job:{stuck.id}", "received", began * 1000)  # type: ignore[misc]

        await owner.get("/monitor/jobs?q=state:running")

    rows = {part.partition('"')[0]: part for part in owner.text.split('data-key="row-')[1:]}
    assert rows.keys() == {runs.id, stuck.id}
    assert 'data-state="long"' in rows[stuck.id]
    assert re.search(r">4\d s</span>", rows[stuck.id])
    assert 'data-state="long"' not in rows[runs.id]
    assert ">Since 2026-12-01 &lt;new&gt;</a>" in owner.text


async def has_begun(job: Result) -> bool:
    return await job.state() == "STARTED"


@pytest.mark.parametrize(
    ("old", "query"),
    [
        ("jobs?state=FAILURE&since=2026-01-01T10:00", "state:failure since:2026-01-01T10:00"),
        ("jobs?task=shop.echo&queue=&worker=vm-1", "task:shop.echo worker:vm-1"),
        ("jobs?text=no+luck", '"no luck"'),
        ("jobs?text=state%3Afailed", '"state:failed"'),
        ("scheduled?queue=mail", "state:scheduled queue:mail"),
        ("scheduled", "state:scheduled"),
    ],
)
async def test_addresses_of_earlier_releases_lead_to_the_same_jobs(owner: Visitor, old: str, query: str) -> None:
    response = await owner.get(f"/monitor/{old}")

    assert response.status_code == 302
    assert unquote(response.headers["Location"].replace("+", " ")) == f"/monitor/jobs?q={query}"


async def test_pages_have_a_number_and_a_way_back(owner: Visitor, connection: JobsRedis) -> None:
    await echo.apply_many([(n,) for n in range(120)], countdown=600)

    await owner.get("/monitor/jobs?q=state:scheduled")
    assert owner.marks.counts["found"] == 120
    seen = owner.text.count('data-key="row-')
    number = 1
    while 'rel="next"' in owner.text:
        number += 1
        path = owner.text.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
        await owner.get(path)
        assert f"Page {number}" in owner.text
        assert ">First page</a>" in owner.text
        seen += owner.text.count('data-key="row-')
    assert (seen, number) == (120, 3)


async def test_the_side_says_what_the_overview_says(
    fast: None, served: str, browser: Browser, connection: JobsRedis
) -> None:
    page = await tab(browser)
    await echo.apply_many([(n,) for n in range(7)], countdown=600)
    await page.goto(f"{served}/")
    await expect(page.locator('[data-figure="scheduled"]')).to_have_text("7")
    await expect(page.locator(".tiles")).to_contain_text("7 scheduled")
    await expect(page.locator("#live-state")).to_have_text("Live")

    await echo.apply_many([(n,) for n in range(5)], countdown=600)
    await monitor.pause(connection, "default")

    await expect(page.locator('[data-figure="scheduled"]')).to_have_text("12")
    await expect(page.locator('.side [data-figure="queues"]')).to_have_text("paused")
    await expect(page.locator(".tiles")).to_contain_text("12 scheduled")

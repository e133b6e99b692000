"""The playground: what the page shows is what runs, one click each, and each run ends as its text says."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from playwright.async_api import Browser, expect
from quart import Quart

from app import create_app
from app.accounts.links import sign_in_link
from app.database import Database
from app.playground.examples import EXAMPLES
from jobs import Result
from jobs.testing import Clock, Workers
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.visitor import Visitor
from tests.app.working import site_of, working
from tests.waiting import wait_until

RESULTS = {
    "task": 16,
    "log": "Message",
    "countdown": "Ten seconds later",
    "retries": "it worked after 2 retries",
    "group": [0, 6, 14, 24, 36, 50, 66, 84, 104, 126],
    "chain": 8000,
    "chord": sum(i * (i + 5) for i in range(10_000)),
}


async def press(owner: Visitor, name: str) -> str:
    """Run an example as its button does; returns the id of its job."""
    response = await owner.post(f"/playground/{name}", page="/playground/")
    assert response.status_code == 303, owner.text
    assert response.location.endswith(f"/playground/#{name}")

    async def shown() -> list[str]:
        await owner.get("/playground/")  # a 503 while the worker, in this very process, keeps the loop busy
        return re.findall(r"[0-9a-f]{32}", owner.text.partition(f'id="run-{name}"')[2].partition("</article>")[0])

    ids: list[str] = await wait_until(shown, f"the run of {name} to be shown", timeout_s=30)
    return ids[0]


@pytest.mark.timeout(90)
async def test_every_example_comes_to_the_end_it_promises(
    settings: Settings, database: Database, jobs_worker: Workers, jobs_clock: Clock
) -> None:
    jobs_worker.patience_s = 60
    async with site_of(jobs_worker, settings) as app:
        owner = Visitor(app)
        await owner.sign_in(settings.owner_email)
        runs = {name: Result(await press(owner, name)) for name in EXAMPLES}
        await jobs_clock.advance(seconds=15)

        with pytest.raises(OSError, match="the network is away"):
            await runs.pop("failure").get(timeout=5)
        assert {name: await run.get(timeout=5) for name, run in runs.items()} == RESULTS
        await owner.get("/playground/")

    assert owner.marks.counts["done"] == 10_001
    assert "OSError: the network is away" in unescape(owner.text)
    assert "data-refresh" not in owner.text


async def test_the_lines_shown_are_the_lines_that_run(owner: Visitor) -> None:
    await owner.get("/playground/")
    shown = [unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", owner.text, re.S)]

    assert shown[0] == "return await multiply.delay(4, 4)\n"
    assert shown == [example.code for example in EXAMPLES.values()]
    for code in shown:
        assert len(code.splitlines()) <= 3
        compile(f"async def example():\n {code.replace(chr(10), chr(10) + ' ')}", "shown", "exec")


async def test_a_run_that_waits_says_so_and_is_looked_at_again(owner: Visitor) -> None:
    await press(owner, "task")

    assert owner.marks.states == ["PENDING"]
    assert 'data-refresh="1"' in owner.text
    assert '<noscript><meta http-equiv="refresh"' in owner.text


async def test_the_owner_s_pages_lead_to_it_also_where_mail_is_sent(settings: Settings) -> None:
    app = create_app(replace(settings, smtp_server="127.0.0.1", smtp_from="site@example.org"))
    async with app.test_app():
        owner = Visitor(app)
        await owner.sign_in(settings.owner_email)
        await owner.get("/account")

    assert '<a href="/playground/">' in owner.text


async def test_nothing_from_outside_decides_what_runs_or_how_often(owner: Visitor) -> None:
    assert (await owner.post("/playground/total", page="/playground/")).status_code == 404

    statuses = [
        (await owner.post("/playground/chord", page="/playground/", size="9999999")).status_code for _ in range(4)
    ]

    assert statuses == [303, 303, 303, 429]
    assert owner.marks.errors == ["too-often"]


async def test_a_run_whose_record_has_ended_is_not_shown(app: Quart, owner: Visitor) -> None:
    job_id = await press(owner, "task")
    await app.extensions["redis"].flushall()

    assert (await owner.get("/playground/")).status_code == 200
    assert job_id not in owner.text


@pytest.mark.timeout(60)
async def test_one_click_and_the_result_appears_by_itself(served: Quart, settings: Settings, browser: Browser) -> None:
    page = await tab(browser)
    await page.goto(await sign_in_link(served.extensions["settings"]))
    await page.click("main button")

    async with working(settings):
        await page.get_by_role("link", name="Playground").click()
        await page.get_by_role("button", name="Run: A chord of 10,000").click()
        await expect(page.locator("#run-chord progress")).to_have_count(1)
        await expect(page.locator("#run-chord .badge")).to_have_text("SUCCESS", timeout=30_000)
        await expect(page.locator("#run-chord")).to_contain_text(str(RESULTS["chord"]))
        await page.get_by_role("button", name="Run: A task", exact=True).click()
        await expect(page.locator("#run-task .badge")).to_have_text("SUCCESS")

    assert await problems(page) == []
    await page.get_by_role("link", name="Open job in the monitor").click()
    await expect(page.locator("h1")).to_contain_text("demo.multiply")
    await page.go_back()
    await page.get_by_role("link", name="Open workflow in the monitor").click()
    await expect(page.locator("h1")).to_contain_text("chord of 10,000")

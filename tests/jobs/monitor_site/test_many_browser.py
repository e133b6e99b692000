"""Many jobs from a browser: in three clicks from the overview, by chosen rows, and without scripts."""

from __future__ import annotations

import random
import re

import pytest
from playwright.async_api import Browser, Page, expect

from jobs import JobsRedis, Result, monitor
from tests.app.browsing import tab
from tests.jobs.monitor_site.shop import echo, fail, shop_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


async def press(page: Page, label: str) -> None:
    """What has this label, as somebody reads it: a button or a link."""
    await page.get_by_role("button", name=label).or_(page.get_by_role("link", name=label)).first.click()


async def test_all_failures_run_again_in_three_clicks_and_without_scripts_chosen_jobs_are_revoked(
    served: str, browser: Browser, connection: JobsRedis, redis_url: str
) -> None:
    n = random.randrange(3, 12)  # the page is to say it, not the test
    async with shop_worker(redis_url):
        failed = [await fail.delay(f"order {k}") for k in range(n)]
        for job in failed:
            await job.get(propagate=False, timeout=20)
        await wait_until(lambda: monitor.workers(connection), "the worker to be online")
        page = await tab(browser)
        await page.goto(f"{served}/")

        await page.get_by_role("link", name=re.compile("failed")).first.click()
        await press(page, "Run all matching again …")
        await press(page, f"Run again: {n} jobs")

        await expect(page.locator("[data-state=done]")).to_have_attribute("data-count", str(n))
        await expect(page.locator("[data-state=SUCCESS]")).to_be_visible()
        for job in failed:
            await Result(f"{job.id}~2", connection).get(propagate=False, timeout=20)
        assert not await connection.exists(f"arq:job:{failed[0].id}~3", f"arq:result:{failed[0].id}~3")

        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        waiting = [await echo.apply_async((k,), countdown=600) for k in range(3)]
        await page.goto(f"{served}/jobs?q=state:scheduled")
        for job in waiting[:2]:
            await page.get_by_label(f"Select {job.id}").check()

        await press(page, "Revoke selected …")
        assert await page.locator("[data-state=jobs]").get_attribute("data-count") == "2"
        await press(page, "Revoke: 2 jobs")

        for job in waiting[:2]:
            await wait_until(job.ready, "the job to be revoked")
        assert [await job.state() for job in waiting] == ["REVOKED", "REVOKED", "PENDING"]
        await page.goto(f"{served}/queues")
        await page.locator('[data-key="queue-default"]').get_by_role("link", name="Pause").click()
        await press(page, "Pause")
        assert await page.locator("[data-notice=paused]").count() == 1
        assert [queue.paused for queue in await monitor.queues(connection) if queue.name == "default"] == [True]

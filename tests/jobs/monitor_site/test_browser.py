"""The monitor in a browser: every page with something on it, live, by keyboard, without scripts, on a phone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from jobs import JobsRedis, group, monitor, monitor_site
from jobs.monitor_site import errors as errors_of
from jobs.monitor_site.actions import of_queues
from tests.app.browsing import problems, tab
from tests.jobs.monitor_site.shop import CHINESE, Shop, echo, fail, shop
from tests.jobs.monitor_site.watching import store_schedule

pytestmark = pytest.mark.timeout(180)


def pages_of(it: Shop, worker: str, errors: Sequence[str] = ()) -> list[str]:
    """Every page, with a job of every kind on it."""
    found = [it.succeeded, it.failed, it.retrying, it.running, it.later, it.limited, it.secret, it.workflow]
    return [
        *("/", "/jobs", f"/jobs?q={quote('浇水')}", "/jobs?q=state:failed+since:2026-01-01T10:00", "/jobs?q=since:no"),
        *(
            "/jobs?q=state:scheduled+sort:waited",
            "/workers",
            f"/worker?name={quote(worker)}",
            "/worker?name=gone",
            f"/worker/stack?name={quote(worker)}",
            "/?within=72h",
            "/versions",
            "/tasks",
        ),
        *("/task?name=shop.echo", "/queues", "/queue/purge?name=default", "/schedules", "/workflows"),
        *(f"/workflow?id={it.workflow.id}", f"/workflow?id={it.broken_workflow.id}", f"/workflow?id={it.large.id}"),
        *(f"/workflow?id={it.large.id}&path=0&start=50", "/broker", "/audit"),
        *(f"/job?id={job.id}" for job in found),
        *("/errors", "/errors?since=72h&state=all", *(f"/error?id={error_id}" for error_id in errors)),
    ]


async def test_every_page_is_for_everybody(
    served: str, browser: Browser, connection: JobsRedis, redis_url: str
) -> None:
    """Axe finds nothing in light and dark, nothing scrolls sideways, no script fails, whatever the texts are."""
    page = await tab(browser)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await connection.zadd(connection.key.VERSIONS, {"90c211": 1_000})
    async with shop(redis_url, version="a1dfe4") as it:
        await monitor.note(connection, "owner", "retry", it.failed.id, CHINESE * 10)
        worker = (await monitor.workers(connection))[0].name
        found = [group.id for group in await errors_of(connection)]
        assert len(found) > 2
        plan = await monitor_site.plan(connection, "retry", monitor_site.parse("state:failed"), rate="1/m")
        of_many = ["/many?where=state:failed", f"/many/plan?id={plan.id}", f"/job/edit?id={it.secret.id}"]
        of_many += [f"/task/run?name={fail.name}", f"/ask?what=stop&name={it.running.id}"]
        for path in [*pages_of(it, worker, found), *of_many]:
            response = await page.goto(served + path)
            assert response is not None
            assert response.status in (200, 400), path
            assert await problems(page) == [], path
    assert errors == []


async def test_a_traceback_is_copied(served: str, browser: Browser, redis_url: str) -> None:
    page = await tab(browser)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    async with shop(redis_url) as it:
        await page.goto(f"{served}/job?id={it.failed.id}")
        await expect(page.locator("#live-state")).to_have_text("Live")
        await page.get_by_role("button", name="Copy").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()

    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.locator("#text-last").text_content()
    assert copied.startswith("Traceback (most recent call last):")


async def test_a_page_is_live_and_keeps_focus_scroll_and_what_is_typed(
    served: str, browser: Browser, connection: JobsRedis, redis_url: str
) -> None:
    page = await tab(browser)
    async with shop(redis_url) as it:
        await page.set_viewport_size({"width": 1000, "height": 300})
        await page.goto(f"{served}/job?id={it.later.id}")
        await expect(page.locator("#live-state")).to_have_text("Live")
        await page.get_by_label("Reschedule to").fill("2031-05-06T07:08")
        await page.evaluate("scrollTo(0, 150)")

        await monitor.pause(connection, "default")
        await page.get_by_text("is paused").wait_for()

        assert await page.input_value("#when") == "2031-05-06T07:08"
        assert await page.evaluate("document.activeElement.id") == "when"
        assert await page.evaluate("scrollY") > 100
        await page.get_by_role("button", name="Reschedule").click()
        await page.locator("[data-notice=moved]", has_text="6 May 2031, 07:08").wait_for()

        await page.goto(f"{served}/jobs?q=task:shop.fail+state:failed")
        await expect(page.locator("#live-state")).to_have_text("Live")
        link = page.locator(f'[data-key="row-{it.failed.id}"] .task a')
        await link.focus()
        place = await link.bounding_box()
        await monitor.resume(connection, "default")
        newer = await fail.delay("newer")
        await page.get_by_role("button", name="1 new").wait_for()
        assert await link.evaluate("link => link === document.activeElement")
        assert await page.locator(f'[data-key="row-{newer.id}"]').count() == 0
        await page.get_by_role("button", name="1 new").click()
        await page.locator(f'[data-key="row-{newer.id}"]').wait_for()
        assert (await link.bounding_box()) != place


async def test_pause_stops_the_stream_and_what_comes_when_it_goes_on_works(
    served: str, browser: Browser, connection: JobsRedis
) -> None:
    """Forms come by it without a token: the page puts its own in."""
    page = await tab(browser)
    await store_schedule(connection)
    await page.goto(f"{served}/schedules")
    await expect(page.locator("#live-state")).to_have_text("Live")

    await page.locator("#pause").click()
    await expect(page.locator("#live-state")).to_have_text("Paused")
    await monitor.pause_schedule(connection, "stored")
    await page.wait_for_timeout(1500)  # longer than a look takes: nothing may come
    assert await page.locator("[data-state=paused]").count() == 0

    await page.get_by_role("button", name="Resume updates").click()
    await page.locator("[data-state=paused]").wait_for()
    await page.get_by_role("button", name="Resume", exact=True).click()
    await page.locator("[data-notice=resumed]").wait_for()
    assert not any(schedule.paused for schedule in await monitor.schedules(connection))


async def test_a_long_queue_is_emptied_by_one_press(
    served: str, browser: Browser, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_queues, "PURGE_S", 0)
    page = await tab(browser)
    await echo.apply_many([(n,) for n in range(2600)], queue="mail")
    await page.goto(f"{served}/queues")
    await page.locator('[data-key="queue-mail"]').get_by_role("link", name="Purge").click()
    await page.get_by_label("Type the name of the queue").fill("mail")

    await page.get_by_role("button", name="Purge the queue").click()

    await page.locator("[data-notice=purged]", has_text="2,600").wait_for()
    assert page.url == f"{served}/queues"
    assert await connection.zcard("arq:queue:mail") == 0


async def test_charts_are_drawn_from_the_table(served: str, browser: Browser, redis_url: str) -> None:
    """With whole labels, the marks of versions, links to other times, and by a press to the jobs of a minute."""
    page = await tab(browser)
    async with shop(redis_url, version="a1dfe4", lease_renewal=0.1):
        await page.goto(f"{served}/")
        await page.locator("figure.chart canvas").first.wait_for()

        await expect(page.locator("figure.chart canvas")).to_have_count(6)
        await page.get_by_text("Charts as a table").click()
        assert await page.locator("#minutes tbody tr").count() == 60
        await expect(page.locator("[data-mark]")).to_have_attribute("data-mark", "a1dfe4")
        await expect(page.locator("figure.chart .key b").first).to_have_text(re.compile("[0-9]"))
        await page.emulate_media(color_scheme="dark")
        await expect(page.locator("figure.chart canvas")).to_have_count(6)
        await page.get_by_role("navigation", name="Time").get_by_role("link", name="72 h").click()
        await expect(page.locator("#minutes tbody tr")).to_have_count(72)
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.locator("figure.chart .u-over").first.click()
        await page.wait_for_url(re.compile("since"))


async def test_everything_can_be_done_without_scripts(served: str, browser: Browser, redis_url: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    page.set_default_timeout(10_000)
    async with shop(redis_url) as it:
        await page.goto(f"{served}/")
        await page.locator(".side").get_by_role("link", name="Jobs", exact=True).click()
        await page.get_by_label("An id, or a query").fill(it.failed.id)
        await page.get_by_role("button", name="Find").click()
        await page.get_by_role("button", name="Run again").click()
        await page.locator("[data-notice=retried]", has_text=f"{it.failed.id}~2").wait_for()

        await page.goto(f"{served}/workflow?id={it.large.id}")
        await page.get_by_role("link", name="View all 60 members").click()
        await page.get_by_role("link", name="SUCCESS 60").click()
        await page.get_by_role("link", name="Next 10 of 60").click()
        await page.locator("[data-key='step-0.59']").wait_for()

        await page.goto(f"{served}/queue/purge?name=default")
        await page.get_by_label("Type the name of the queue").fill("default")
        await page.get_by_role("button", name="Purge the queue").click()
        await page.locator("[data-notice=purged]").wait_for()
        await page.get_by_role("link", name="Audit log").click()
        await page.get_by_text("purge queue").wait_for()


CUT_LABELS = """[...document.querySelectorAll(".axis text")].filter((label, n, all) => {
    const box = label.getBoundingClientRect(), next = all[n + 1] && all[n + 1].getBoundingClientRect();
    return box.right > label.ownerSVGElement.getBoundingClientRect().right || (next && box.right > next.left);
}).map(label => label.textContent)"""
"""Labels of a time axis that end beyond it, or run into the next one."""


async def test_a_workflow_of_ten_thousand_stays_readable_and_fast(
    served: str, browser: Browser, redis_url: str
) -> None:
    page = await tab(browser)
    async with shop(redis_url):
        large = await group(echo.s(n) for n in range(10_000)).delay()
        await large.get(timeout=90)

        await page.goto(f"{served}/workflow?id={large.id}")

        await page.get_by_text("10,000 SUCCESS").first.wait_for()
        assert await page.locator(".steps tbody tr").count() <= 10
        assert await page.evaluate("document.getElementsByTagName('*').length") < 1_000
        assert await page.evaluate("performance.getEntriesByType('navigation')[0].responseEnd") < 3_000
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate(CUT_LABELS) == []

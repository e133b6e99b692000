"""What the pages with numbers show: the same as the library, with links to what is counted."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobs import monitor, monitor_site, send_task
from jobs.client.connection import JobsRedis
from jobs.monitor_site.wording import HELD_BACK
from jobs.store.keys import Keys
from jobs.store.store import now_ms
from tests.app.visitor import Visitor, words
from tests.jobs.monitor.written_minutes import note_depths
from tests.jobs.monitor_site.shop import echo, shop_worker, slow
from tests.jobs.monitor_site.watching import read, watching
from tests.waiting import wait_until

PAGES = ["/", "/queues", "/tasks", "/task?name=shop.echo", "/workers", "/versions", "/audit"]


async def test_red_flags_and_who_paused(connection: JobsRedis, redis_url: str, owner: Visitor) -> None:
    await note_depths(connection, 5, 5, 5)
    async with shop_worker(redis_url, lease_renewal=0.1, version="a1dfe4"):
        for n in range(3):
            await send_task("crm.sync", args=(n,), queue="crm")
        await send_task("etl.load", queue="mail")
        await monitor.noted(connection, "ann", "pause queue", "slow", lambda: monitor.pause(connection, "slow"))

        async def flagged() -> bool:
            now = await monitor_site.overview(connection)
            return bool(now.unknown) and now.workers == 1

        await wait_until(flagged, "the worker to be there")
        text = await seen_at(owner, "/")
        queues = await seen_at(owner, "/queues")
        workers = await seen_at(owner, "/workers")

    assert "3 jobs in queue crm ( crm.sync ) do not start: no worker serves it." in text
    assert "1 job of etl.load in queue mail does not start: no worker of this queue knows the task." in text
    assert "1 job of etl.load in queue mail does not start: no worker of this queue knows the task." in queues
    assert "Queues paused" in text
    assert "Queue slow is paused by ann ," in text
    assert "paused by ann ," in queues
    assert "a1dfe4" in workers
    await connection.delete(Keys.PAUSED)


async def test_the_side_says_what_is_wrong_with_a_queue_that_is_served(
    connection: JobsRedis, redis_url: str, owner: Visitor
) -> None:
    async with shop_worker(redis_url, lease_renewal=0.1):
        await send_task("etl.load", queue="mail")

        async def is_said() -> bool:
            return "Queues unknown task" in await seen_at(owner, "/queues")

        await wait_until(is_said, "the page to say it")
        assert "no worker" not in (await seen_at(owner, "/queues")).replace("no worker of this queue knows", "")


async def test_a_long_run_and_a_lost_worker_are_marked(connection: JobsRedis, redis_url: str, owner: Visitor) -> None:
    this = await now_ms(connection) // 60_000
    await connection.hset(f"{Keys.STATS}{this}", mapping={"shop.slow|SUCCESS": 9, "shop.slow|run|5": 9})
    await connection.expire(f"{Keys.STATS}{this}", 60)
    async with shop_worker(redis_url, lease_renewal=0.1) as worker:
        running = await slow.delay(60)

        async def starts() -> bool:
            return await running.state() == "STARTED"

        await wait_until(starts, "it to run")
        await connection.set(Keys.CLOCK, 30_000)
        gone = worker.statistics().name.replace("-", "-gone-", 1)
        seen = await now_ms(connection) - 60_000
        await connection.zadd(Keys.WORKERS, {gone: seen})
        await connection.hset(Keys.WORKER + gone, mapping={"seen": seen, "running": 4, "host": "h"})
        await connection.expire(Keys.WORKER + gone, 60)

        async def back() -> bool:
            return bool(await monitor.workers(connection))

        await wait_until(back, "the worker to report again")
        pages = [await seen_at(owner, path) for path in ("/", "/workers")]
        stack = await seen_at(owner, f"/worker/stack?name={worker.statistics().name}")
        of_worker = await seen_at(owner, f"/worker?name={worker.statistics().name}")
        of_job = await seen_at(owner, f"/job?id={running.id}")

    assert f"shop.slow {running.id} coroutine" in stack
    assert "shop.slow" in stack
    assert f"Worker {gone} was lost," in pages[0]
    assert gone in pages[1]
    assert "1 long run" in pages[1]
    assert re.search(r"Running on .* \([345]\d\.\d s\) 95 of 100 take ~31 ms or less", of_job), of_job
    for text in (pages[0], of_worker):
        assert f"shop.slow {running.id}" in text
        assert "Runs much longer than usual" in text


async def test_each_figure_of_the_last_hour_leads_to_as_many_jobs(
    connection: JobsRedis, redis_url: str, owner: Visitor
) -> None:
    async with shop_worker(redis_url):
        for result in await echo.apply_many([(n,) for n in range(7)]):
            await result.get(timeout=10)
        await seen_at(owner, "/")
        [address] = re.findall(r'<a href="([^"]+)"><b>7</b> succeeded</a>', owner.text)
        await owner.get(unescape(address), follow_redirects=True)

    assert len(re.findall(r'data-key="row-', owner.text)) == 7


async def test_a_search_by_an_argument_that_no_task_has_says_which_there_are(
    connection: JobsRedis, redis_url: str, owner: Visitor
) -> None:
    """On the page, and in what its stream puts there."""
    async with shop_worker(redis_url):
        await wait_until(lambda: connection.hexists(Keys.TASKS, slow.name), "the worker to declare its tasks")
    sentence = "No task has an argument customer_idx: there are "

    assert sentence in await seen_at(owner, "/jobs?q=customer_idx:5")
    async with watching(owner, "/monitor/jobs?q=customer_idx:5") as stream:
        assert sentence in await read(stream, sentence)


async def test_a_paused_queue_has_no_other_forecast(connection: JobsRedis, owner: Visitor) -> None:
    await monitor.pause(connection, "calm")
    await seen_at(owner, "/queues")
    assert 'data-state="forecast">paused<' in owner.text


@pytest.mark.parametrize("within", ["1h", "6h", "24h", "72h", "nonsense"])
async def test_every_time_is_drawn(connection: JobsRedis, redis_url: str, owner: Visitor, within: str) -> None:
    await note_depths(connection, 5, 5, 5)
    async with shop_worker(redis_url):
        await (await echo.delay(1)).get(timeout=10)
        for path in PAGES:
            await seen_at(owner, f"{path}{'&' if '?' in path else '?'}within={within}")
            if 'id="minutes"' in owner.text:
                chosen = "1 h" if within == "nonsense" else within.replace("h", " h")
                assert f'aria-current="true">{chosen}<' in owner.text
                assert owner.text.count('<tr><th scope="row">') == {"24h": 96, "6h": 72, "72h": 72}.get(within, 60)


async def test_tasks_are_sorted_by_links(connection: JobsRedis, redis_url: str, owner: Visitor) -> None:
    this = await now_ms(connection) // 60_000
    fields = {"a|SUCCESS": 5, "a|run_ms": 9_000, "b|FAILURE": 9, "b|run_ms": 10, "c|RETRY": 3}
    await connection.hset(f"{Keys.STATS}{this}", mapping=fields)
    await connection.expire(f"{Keys.STATS}{this}", 60)
    await seen_at(owner, "/tasks")
    addresses = map(unescape, re.findall(r'"([^"]*/tasks[^"]*sort=[^"]*)"', owner.text))
    links = {parse_qs(urlsplit(one).query)["sort"][0]: one for one in addresses}

    assert set(links) == {"name", *monitor_site.SORTS}
    order = {}
    for sort, link in links.items():
        await owner.get(link)
        order[sort] = re.findall(r'data-key="task-([abc])"', owner.text)
    assert (order["time"][0], order["failures"][0], order["retries"][0]) == ("a", "b", "c")
    assert order["name"] == ["a", "b", "c"]


async def test_the_audit_log_of_one_target(connection: JobsRedis, owner: Visitor) -> None:
    for n in range(150):
        await monitor.note(connection, "ann" if n % 2 else "bob", "pause queue", f"q{n % 3}", str(n))

    await seen_at(owner, "/audit?target=q1")

    assert re.findall(r"<bdi>(q\d)</bdi></a></td>", owner.text) == ["q1"] * 50
    first = await monitor.audit(connection, limit=20, target="q1", who="ann")
    second = await monitor.audit(connection, first.next, limit=20, target="q1", who="ann")
    assert [int(row.result) for row in first.rows + second.rows] == [
        n for n in range(149, 0, -1) if n % 2 and n % 3 == 1
    ]
    assert second.next == ""


def test_every_reason_has_a_word_unless_its_state_says_all() -> None:
    codes = re.findall(r"[a-z-]{3,}", monitor.Reason.__doc__.replace("`code`:", "").replace("and besides", ""))  # type: ignore[union-attr]

    plain = {"unknown", "ended", "running", "children", "gone", "due", "next", "expires", "unique", "schedule"}
    assert set(codes) - {"or"} == set(HELD_BACK) | plain
    assert {colour for _, colour in HELD_BACK.values()} <= {"warn", "bad", "off", "good"}


async def seen_at(owner: Visitor, path: str, **options: Any) -> str:
    """What the page there says, in words."""
    answer = await owner.get(f"/monitor{path}", **options)
    assert answer.status_code == 200, path
    return words(owner)

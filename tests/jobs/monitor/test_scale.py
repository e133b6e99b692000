"""No look at the monitor reads everything, whatever is asked for."""

from __future__ import annotations

from typing import Any

from jobs import group, monitor, monitor_site
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.jobs.worker import tasks

FORBIDDEN = {"keys", "scan", "hscan", "sscan", "zscan", "lrange"}


async def commands_of(connection: JobsRedis) -> dict[str, int]:
    stats: dict[str, Any] = await connection.info("commandstats")
    return {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}


async def test_no_look_is_longer_with_ten_times_as_many_jobs(connection: JobsRedis) -> None:
    counts = []
    for n in (500, 4500):
        await tasks.log.apply_many([(i,) for i in range(n)], countdown=3600)
        revoked = await tasks.log.apply_many([(i,) for i in range(n // 10)], countdown=3600)
        for result in revoked:
            await result.revoke()
        await connection.config_resetstat()
        await monitor_site.overview(connection)
        await monitor_site.history(connection, monitor_site.RANGES["72h"])
        await monitor.queues(connection)
        await monitor_site.tasks(connection)
        await monitor_site.workflows(connection)
        for filters in ({}, {"state": "ended"}, {"state": "scheduled"}, {"state": "REVOKED"}, {"task": "tests.log"}):
            await monitor.find(connection, **filters)  # type: ignore[arg-type]
        await monitor_site.job(connection, revoked[0].id)
        counts.append(await commands_of(connection))

    few, many = counts
    assert not FORBIDDEN & many.keys()
    for name in many:
        assert many[name] <= few[name] * 1.5 + 20, name


async def test_a_search_for_text_looks_at_so_many_and_no_more(connection: JobsRedis) -> None:
    await tasks.log.apply_many([(i,) for i in range(20_000)], countdown=3600)
    await connection.config_set("slowlog-log-slower-than", 50_000)
    await connection.slowlog_reset()

    page = await monitor.find(connection, text="nowhere")

    assert page.next
    assert page.rows == []
    assert await connection.slowlog_len() == 0
    assert await connection.zcard(Keys.QUEUE) == 20_000


async def test_the_page_of_one_member_does_not_ask_for_the_tree(connection: JobsRedis) -> None:
    """A tree of 5,000 takes 300 KB."""
    flow = await group(tasks.log.s(n, "x" * 40) for n in range(5000)).delay()
    call = {"f": "tests.log", "a": (7,), "k": {}, "s": True, "r": 7}
    ended = {"parent": flow.id, "path": "7", "state": "SUCCESS", "task": "tests.log", "until": 2**50}
    await connection.hset(f"{Keys.JOURNAL}{flow.id}", "7", b"S" + connection.dumps(call))  # type: ignore[misc]
    await connection.hset(f"{Keys.RECORD}{flow.id}:7", mapping=ended)  # type: ignore[misc]
    await connection.zadd(Keys.HISTORY, {f"{flow.id}:7": 1})
    await connection.config_resetstat()

    found = await monitor_site.job(connection, f"{flow.id}:7")

    assert found
    assert (found.call.args, found.parent) == ([7], flow.id)
    assert (await connection.info("stats"))["total_net_output_bytes"] < 50_000

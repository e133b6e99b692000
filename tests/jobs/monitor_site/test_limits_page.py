"""The page of a task's limits: who runs and waits by key, and forms that change them."""

from __future__ import annotations

import pytest

from jobs import JobsRedis, Limit, monitor
from jobs.store.call import Call
from jobs.tasks.declarations import KnownTask
from tests.app.visitor import Visitor, words

TASK = "shop.limited"
PAGE = f"/monitor/task/limits?name={TASK}"


@pytest.fixture
async def limited(connection: JobsRedis) -> None:
    """Of tenant 7 two jobs run and three wait; of tenant <b> one runs."""
    limits = (50, Limit(2, per="tenant_id"))
    await connection.declare_limits(TASK, ("100/s", Limit("600/m", per=("tenant_id", "region"))), limits)
    keys = ["region=eu&tenant_id=7|tenant_id=7"] * 5 + ["region=eu&tenant_id=%3Cb%3E|tenant_id=%3Cb%3E"]
    calls = [Call(f"l{n}", "default", b"\x80", TASK, keys=key) for n, key in enumerate(keys)]
    await connection.enqueue(calls)
    for n in range(20):
        await connection.set(connection.key.CLOCK, 200 * n)
        await connection.run_script("claim", "w", f"t{n}", 60_000, 50, 1, "default")
    await connection.delete(connection.key.CLOCK)


async def page_of(owner: Visitor, more: str = "") -> str:
    await owner.get(f"{PAGE}{more}")
    return owner.text


async def test_the_keys_where_jobs_wait_are_there(limited: None, owner: Visitor) -> None:
    text = await page_of(owner)

    assert "per region and tenant_id: 600/m; per tenant_id: 2 at a time" in text
    assert "tenant_id=7" in text
    assert "&lt;b&gt;" not in text  # nobody waits there

    one = await page_of(owner, "&key=tenant_id%3D%253Cb%253E")
    assert "tenant_id=&lt;b&gt;" in one
    assert "<b>" not in one.split("tenant_id=&lt;b&gt;")[1][:20]
    assert "has no limit per tenant" in await page_of(owner, "&key=tenant%3D7")


async def test_limits_are_changed_by_plain_forms(limited: None, owner: Visitor, connection: JobsRedis) -> None:
    for limit in ("5", "10/s", "pause"):
        await owner.post("/monitor/task/limit", page=PAGE, name=TASK, key="tenant_id=7", limit=limit)
    [info] = await monitor.limit_list(connection, TASK, "tenant_id=7")
    assert (info.rate_limit, info.max_concurrency, info.changed, info.paused) == ("10/s", 5, True, True)
    assert 'data-state="paused"' in await page_of(owner)

    for limit in ("resume", ""):
        await owner.post("/monitor/task/limit", page=PAGE, name=TASK, key="tenant_id=7", limit=limit)
    [info] = await monitor.limit_list(connection, TASK, "tenant_id=7")
    assert (info.rate_limit, info.max_concurrency, info.changed, info.paused) == ("", 2, False, False)

    lines = [(entry.what, entry.target, entry.result) for entry in (await monitor.audit(connection)).rows]
    assert lines[-1] == ("change limit", TASK, "5 counts for tenant_id=7 now.")
    assert lines[2] == ("change limit", TASK, "Paused for tenant_id=7.")


async def test_the_page_of_the_task_says_its_limits_by_key_and_changes_how_many_run(
    limited: None, owner: Visitor, connection: JobsRedis
) -> None:
    page = f"/monitor/task?name={TASK}"
    await connection.hset(connection.key.TASKS, TASK, KnownTask().packed())
    await owner.get(page)
    assert "50; per region and tenant_id: 600/m; per tenant_id: 2 at a time" in words(owner)

    await owner.post("/monitor/task/limit", page=page, name=TASK, key="", limit="7")
    await owner.get(page)
    assert "Concurrency 7; per region" in words(owner)

"""Every page of the monitor, and what machines read, beside keys in Redis that somebody else has written over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from quart import Quart
from redis.asyncio import Redis

from jobs.contrib import wrong_types
from jobs.store.keys import NO_PREFIX
from tests.app.routes import furnish, has_fault
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.shop import echo
from tests.jobs.store.hostile import write_garbage, write_wrong, written_over

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("write", [write_wrong, write_garbage])
async def test_no_page_breaks(
    app: Quart, alice: Visitor, owner: Visitor, redis: Redis, write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_types, "SCAN_AGAIN_S", 0)
    routes = [route for route in await furnish(app) if route.method == "GET"]
    job = await app.extensions["redis"].enqueue_job("f", 1)
    await redis.sadd("jobs:queues", "=jobs:tasks", "=app:other", "default")
    await redis.hset("app:other", "a", 1)
    await redis.hset("jobs:limits", "evil", "1")
    pages = [route.path for route in routes if route.feature in ("monitor", "metrics", "health")]
    pages += [
        f"/monitor/job?id={job.job_id}",
        "/monitor/jobs?q=queue:=jobs:tasks",
        "/monitor/jobs?q=x",
        "/readyz",
        "/metrics",
    ]
    for path in pages:
        for family, kind in NO_PREFIX.types.items():
            await written_over(redis, family, kind, write)
        answer = await owner.get(path)
        assert not has_fault(path, answer.status_code), (path, await answer.get_data(as_text=True))


async def test_scores_that_are_no_times_leave_figures_readable(app: Quart, owner: Visitor) -> None:
    """Stock producers write scores as they like."""
    redis = app.extensions["redis"]
    for score in ("-1", "0", "1e18", "1e300", "-1e300", "inf", "-inf", "253402300799999"):
        job = await echo.apply_async((score,), countdown=100)
        await redis.zadd("arq:queue", {job.id: score})
    for path in ("/metrics", "/readyz"):
        assert (await owner.get(path)).status_code in (200, 503)
        assert "inf" not in owner.text.replace("+Inf", "").replace("_info", "")

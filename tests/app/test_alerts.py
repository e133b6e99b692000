"""Every rule of docs/alerts.md, played: the situation is made, /metrics is read, and promtool says what fires."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quart import Quart

from app import create_app
from app.digest.models import Digest
from jobs import monitor, send_task
from settings import ROOT, Settings
from tests.app.scraping import TOKEN, scrape
from tests.app.working import working
from tests.promtool import find
from tests.waiting import wait_until

PAGE = (ROOT / "docs" / "alerts.md").read_text()
[RULES] = re.findall(r"```yaml\n(groups:.*?)```", PAGE, re.S)
ALERTS = re.findall(r"- alert: (\w+)", RULES)
Samples = dict[str, float]


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Quart]:
    app = create_app(replace(settings, metrics_token=TOKEN))
    async with app.test_app():
        yield app


class Prometheus:
    """What Prometheus would say to ten minutes of one scrape, and then nine of another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "rules.yml").write_text(RULES)

    def firing(self, before: Samples, after: Samples) -> dict[str, str]:
        """The alerts that fire, each with the labels and annotations that it fires with."""
        series = [
            {"series": name, "values": f"{before[name]}+0x10 {n}+0x20" if name in before else f"_x11 {n}+0x20"}
            for name, n in after.items()
        ]
        tests = [{"eval_time": "20m", "alertname": name, "exp_alerts": []} for name in ALERTS]
        test = {"interval": "1m", "input_series": series, "alert_rule_test": tests}
        (self._folder / "test.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [test]}))
        done = subprocess.run(
            [find(), "test", "rules", "test.yml"], cwd=self._folder, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert "FAILED" in said or "SUCCESS" in said, said
        found = re.findall(r"alertname: (\w+), time: 20m,.*?got:\s*(\[.*?\])\s*(?=alertname|$)", said, re.S)
        assert len(found) == said.count("alertname: "), said
        return dict(found)


@pytest.fixture
def prometheus(tmp_path: Path) -> Prometheus:
    return Prometheus(tmp_path)


async def with_worker(app: Quart) -> Samples:
    """A scrape while a worker serves every queue."""
    found: Samples = {}

    async def served() -> bool:
        found.update(await scrape(app))
        return found['quarq_up{part="workers"}'] == 1

    await wait_until(served, "the worker to be seen")
    return found


async def test_nothing_fires_while_all_is_well(app: Quart, settings: Settings, prometheus: Prometheus) -> None:
    async with working(settings):
        await (await send_task("demo.multiply", (2, 3))).get(timeout=10)
        before = await with_worker(app)
        await (await send_task("demo.multiply", (2, 3))).get(timeout=10)
        after = await with_worker(app)

    assert len(ALERTS) == 5
    assert prometheus.firing(before, after) == {}


async def test_no_live_worker(app: Quart, settings: Settings, prometheus: Prometheus) -> None:
    async with working(settings):
        before = await with_worker(app)
    await wait_until(lambda: _reads(app, 'quarq_up{part="workers"}', 0), "the worker to be missed")

    fired = prometheus.firing(before, await scrape(app))

    assert list(fired) == ["QuarqNoWorker"]


async def test_a_due_job_that_nobody_takes(app: Quart, prometheus: Prometheus) -> None:
    await send_task("demo.log", ("Message",))
    before = await scrape(app)
    await app.extensions["redis"].set("jobs:test:clock", 400_000)

    fired = prometheus.firing(before, await scrape(app))
    await monitor.pause(app.extensions["redis"], "default")
    paused = prometheus.firing(before, await scrape(app))

    assert 'queue="default"' in fired["QuarqJobsWait"]
    assert "QuarqJobsWait" not in paused


async def test_a_task_that_fails_more_than_every_tenth_time(
    app: Quart, settings: Settings, prometheus: Prometheus
) -> None:
    async with working(settings):
        for arguments in (2, 3), ({}, {}):
            await (await send_task("demo.multiply", arguments)).get(timeout=10, propagate=False)
        before = await with_worker(app)
        for arguments in [(2, 3)] * 3 + [({}, {})]:
            await (await send_task("demo.multiply", arguments)).get(timeout=10, propagate=False)
        after = await with_worker(app)

    fired = prometheus.firing(before, after)

    assert list(fired) == ["QuarqJobsFail"]
    assert 'task="demo.multiply"' in fired["QuarqJobsFail"]


@pytest.mark.parametrize("name", ["maxmemory", "maxmemory-policy"])
async def test_a_redis_that_is_nearly_full_or_evicts(app: Quart, prometheus: Prometheus, name: str) -> None:
    redis = app.extensions["redis"]
    before = await scrape(app)
    memory = int(before["quarq_redis_memory_bytes"])
    [kept] = (await redis.config_get(name)).values()
    try:
        await redis.config_set(name, memory * 10 // 9 if name == "maxmemory" else "allkeys-lru")
        after = await scrape(app)
    finally:
        await redis.config_set(name, kept)

    assert "QuarqRedisFull" in prometheus.firing(before, after)
    assert "QuarqRedisFull" not in prometheus.firing(before, before)


async def test_a_schedule_whose_moment_has_passed(app: Quart, settings: Settings, prometheus: Prometheus) -> None:
    redis = app.extensions["redis"]
    async with working(settings):
        before = await with_worker(app)
    schedule, *_ = await monitor.schedules(redis)
    late = datetime.now(UTC) - timedelta(minutes=6)
    await redis.hset(f"jobs:schedule:{schedule.name}", "next", int(late.timestamp() * 1000))

    fired = prometheus.firing(before, await scrape(app))
    await monitor.pause_schedule(redis, schedule.name)
    paused = prometheus.firing(before, await scrape(app))

    assert f'schedule="{schedule.name}"' in fired["QuarqScheduleMissed"]
    assert "QuarqScheduleMissed" not in paused


async def test_a_digest_that_does_not_get_done(app: Quart, prometheus: Prometheus) -> None:
    before = await scrape(app)
    async with app.extensions["database"].transaction() as db:
        db.add(Digest(run="sched:digest:1", created_at=datetime.now(UTC) - timedelta(hours=7)))

    assert "QuarqScheduleMissed" in prometheus.firing(before, await scrape(app))


async def _reads(app: Quart, name: str, value: float) -> bool:
    return (await scrape(app))[name] == value

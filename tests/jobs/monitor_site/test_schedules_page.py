"""The page of schedules: when in words, the next times in one line, the last run with its result."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from jobs import Viewer, crontab, every, monitor, monitor_app
from jobs.client.connection import JobsRedis
from tests.jobs.monitor.conftest import as_documented, connection, start_process, start_worker
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

__all__ = ["as_documented", "connection", "start_process", "start_worker"]


@pytest.mark.timeout(60)
async def test_a_schedule_says_when_and_how_its_last_run_ended(
    connection: JobsRedis, start_worker: StartWorker, redis_url: str
) -> None:
    digest = crontab(tasks.fail, minute=0, hour=9, day_of_week="mon-fri", timezone="Europe/Berlin", args=("no luck",))
    often = every(tasks.log, timedelta(minutes=5), name="often", args=(1,))
    await start_worker(cron_jobs=[digest, often])

    async def declared() -> bool:
        return len(await monitor.schedules(connection)) == 2

    await wait_until(declared, "the schedules to be declared")
    last_id = await monitor.run_schedule(connection, "tests.fail")

    async def has_failed() -> bool:
        [row] = await monitor.rows_of(connection, [last_id])
        return row.state == "FAILURE"

    await wait_until(has_failed, "the run to fail")
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", timezone="Europe/Berlin"))
    page = await (await app.test_client().get("/schedules")).get_data(as_text=True)
    await app.close()
    rows = {name: row for name, row in re.findall(r'<tr data-key="schedule-([^"]*)"(.*?)</tr>', page, re.DOTALL)}
    text = {
        name: " ".join(html.unescape(re.sub(r"<[^>]*>", " ", row)).split()).replace(" ,", ",")
        for name, row in rows.items()
    }

    assert "weekdays at 09:00 (Europe/Berlin)" in text["tests.fail"]
    assert re.search(r"FAILURE (<1|\d+) ms ValueError: no luck", text["tests.fail"])
    assert f"/job?id={last_id}" in rows["tests.fail"]
    assert re.search(r"\d+ \w+ 09:00:00 in .* then \d+ \w+ 09:00:00, (\d+ \w+ 09:00:00(, )?){3}", text["tests.fail"])
    assert "every 5 minutes" in text["often"]
    assert "never" in text["often"]
    assert re.search(r"then (\d+ \w+ )?\d\d:\d[05]:00, (\d+ \w+ )?\d\d:\d[05]:00", text["often"])

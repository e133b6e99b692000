"""The page of schedules: when in words, the next times in one line, the last run with its result."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from jobs import Result, Viewer, crontab, every, monitor, monitor_app, schedules
from jobs.client.connection import JobsRedis
from tests.app.visitor import Visitor
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


async def test_a_stored_one_is_found_deleted_and_run_for_moments_that_have_passed(
    connection: JobsRedis, redis_url: str
) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True, timezone="Europe/Berlin"))
    ann = Visitor(app)
    workdays = crontab("0 8 * * 1-5", timezone="Europe/Berlin")
    for n in range(120):
        await schedules.put(f"report:{n}", tasks.log.s(n), workdays, overlap="skip", jitter=60)

    await ann.get("/schedules")
    assert ann.text.count('data-state="stored"') == 100
    assert "Next 20 of 120" in ann.text
    await ann.get("/schedules?start=100")
    assert ann.text.count('data-state="stored"') == 20
    await ann.get("/schedules?text=t:42")
    assert ann.text.count('data-state="stored"') == 1
    assert "overlap: skip" in ann.text
    assert "weekdays at 08:00 (Europe/Berlin)" in ann.text

    await ann.get("/schedule/backfill?name=report:42&since=2026-03-02T00:00&until=2026-03-06T08:00")
    assert ann.marks.counts["moments"] == 5
    form = {"name": "report:42", "since": "2026-03-02T00:00+01:00", "until": "2026-03-06T08:00+01:00"}
    await ann.post("/schedule/backfill", page="/schedules", **form)
    await ann.get("/schedules")
    assert ann.marks.notices == ["backfilled"]
    monday = datetime(2026, 3, 2, 7, tzinfo=UTC)
    assert await Result(schedules.job_id("report:42", monday)).state() == "PENDING"
    reasons = await monitor.why(connection, schedules.job_id("report:42", monday))
    assert reasons[-1].text == "the schedule 'report:42' has called it, for 2026-03-02 07:00:00 UTC"
    await ann.get(f"/job?id={schedules.job_id('report:42', monday)}")
    assert "/schedules?text=report:42" in ann.text
    await schedules.put("flow", tasks.log.si(1) | tasks.log.si(2), workdays)
    for page in ("/schedules?text=flow", "/schedule/run?name=flow", "/schedule/backfill?name=flow"):
        await ann.get(page)
        assert "weekdays at 08:00 (Europe/Berlin)" in ann.text
        assert "chain of 2: tests.log → tests.log" in ann.text
        assert "jobs.named_workflow" not in ann.text
        assert page != "/schedules?text=flow" or "/schedule/backfill?name=flow" in ann.text
    assert (await schedules.get("flow")).workflow == "chain of 2: tests.log → tests.log"
    await schedules.delete("flow")
    for wrong in ("since=2026-03-02T00:00&until=2099-03-06T08:00", "since=x&until=y", "since=1980-01-01T00:00&until=x"):
        await ann.get(f"/schedule/backfill?name=report:42&{wrong}")
        assert "moments" not in ann.marks.counts, wrong

    await ann.post("/schedule/delete", page="/schedules", name="report:42")
    await ann.get("/schedules?text=t:42")
    assert ann.marks.notices == ["deleted"]
    assert "No schedules match" in ann.text
    assert [(note.what, note.target) for note in (await monitor.audit(connection)).rows] == [
        ("delete schedule", "report:42"),
        ("backfill schedule", "report:42"),
    ]
    await app.close()

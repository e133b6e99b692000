"""A job's page: one sentence, arguments by name, attempts in the order of time with a bar each, and what to do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import Viewer, monitor, monitor_app, task
from jobs.client.connection import JobsRedis
from jobs.client.job_info import Attempt, JobInfo
from jobs.monitor_site.job_timeline import timeline_of
from tests.app.marks import Marks
from tests.jobs.monitor.conftest import Reach, reach
from tests.jobs.worker.conftest import StartWorker, connection, start_worker
from tests.waiting import wait_until

__all__ = ["connection", "reach", "start_worker"]

T0 = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def info_of(state: str, history: tuple[Attempt, ...], **times: float) -> JobInfo:
    """Times are seconds after T0: enqueued, due, finished."""
    moments: dict[str, Any] = {name: at(times[name]) if name in times else None for name in ("due", "finished")}
    started = history[-1].started if history else None
    return JobInfo(
        id="1", state=state, task="t", queue="q", worker="w", enqueued=at(times.get("enqueued", 0)), started=started,
        run_s=None, attempts=len(history), retries=0, crashes=0, deaths=0, killed=0, history=history, **moments,
    )  # fmt: skip


def attempt(number: int, start: float, end: float | None, outcome: str, text: str = "") -> Attempt:
    return Attempt(number, "w", at(start), None if end is None else at(end), outcome, text)


def put_back(start: float) -> Attempt:
    return attempt(1, start, start, "PENDING", "this worker does not know the task")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (info_of("PENDING", (), due=60), ["enqueued", "due"]),
        (info_of("SUCCESS", (attempt(1, 1, 2, "SUCCESS"),), due=0, finished=2), ["enqueued", "attempt", "finished"]),
        (info_of("RETRY", (attempt(1, 1, 2, "RETRY"),), due=600), ["enqueued", "attempt", "next"]),
        (
            info_of("FAILURE", (attempt(1, 1, 2, "RETRY"), attempt(2, 11, 12, "FAILURE")), due=10, finished=12),
            ["enqueued", "attempt", "retry-due", "attempt", "finished"],
        ),
        (info_of("STARTED", (attempt(1, 61, None, "STARTED"),), due=60), ["enqueued", "due", "attempt"]),
        (info_of("PENDING", tuple(put_back(5 * n) for n in range(24)), due=0), ["enqueued", "put-back"]),
    ],
)
def test_the_timeline_is_in_the_order_of_time(info: JobInfo, expected: list[str]) -> None:
    events = timeline_of(info, at(700))

    assert [event.what for event in events] == expected
    assert all(one.at <= two.at for one, two in pairwise(events))
    assert [event.times for event in events if event.what == "put-back"] in ([], [24])


def test_put_backs_are_of_the_workers_that_did_them_and_of_when_they_did() -> None:
    """Two workers take turns, the first one goes, and the second is stopped in the middle of the job."""
    unknown = "this worker does not know the task"
    turns = [
        Attempt(1, "gone" if n % 2 and n < 10 else "there", at(5 * n), at(5 * n + 0.1), "PENDING", unknown)
        for n in range(20)
    ]
    stopped = Attempt(1, "there", at(100), at(140), "PENDING", "its worker was stopped")
    info = info_of("SUCCESS", (*turns, stopped, attempt(1, 150, 151, "SUCCESS")), due=0, finished=151)

    events = [event for event in timeline_of(info, at(700)) if event.attempt]

    assert [(one.what, one.at, one.until, one.times, dict(one.by)) for one in events] == [
        ("put-back", at(0.1), at(95.1), 20, {"there": 15, "gone": 5}),
        ("put-back", at(140), at(140), 1, {"there": 1}),
        ("attempt", at(150), None, 1, {}),
    ]
    assert [one.ran_s for one in events] == [None, 40, 1]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=10), st.floats(0, 1e7))
def test_bars_are_within_the_box_and_say_what_was_waited_and_run(spans: list[tuple[float, float]], now: float) -> None:
    """Of any history, in whatever order it is stored."""
    history, end = [], 0.0
    for number, (wait, run) in enumerate(spans, 1):
        history.append(attempt(number, end + wait, end + wait + run, "RETRY"))
        end += wait + run

    events = [event for event in timeline_of(info_of("RETRY", tuple(history), due=end + 1), at(now)) if event.attempt]

    assert len(events) == len(spans)
    for event, (wait, run) in zip(events, spans, strict=True):
        assert event.waited_s == pytest.approx(wait, abs=1e-3)
        assert event.ran_s == pytest.approx(run, abs=1e-3)
        for bar in event.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= 100.01


@task(name="reading.ship")
async def ship(order_id: int, *parcels: str, address: dict[str, str] | None = None, api_key: str = "") -> None:
    raise LookupError(f"no order {order_id}")


@task(name="reading.later", autoretry_for=(LookupError,), default_retry_delay=600)
async def later() -> None:
    raise LookupError("not yet")


@task(name="reading.reports", bind=True)
async def reports(self: Any) -> None:
    await self.update_state(meta={"current": 3, "total": 8, "what": "rows"})


@pytest.fixture
async def ann(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True, timezone="Asia/Tokyo"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8001") as client:
        yield client


def words(page: httpx.Response) -> str:
    """What is read, on one line."""
    text = re.sub(r"<(svg|head|noscript)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


async def page_of(ann: httpx.AsyncClient, job_id: str) -> httpx.Response:
    page = await ann.get("/job", params={"id": job_id})
    assert page.status_code == 200
    return page


async def test_a_failed_job_reads_in_one_sentence(
    connection: JobsRedis, start_worker: StartWorker, reach: Reach, ann: httpx.AsyncClient
) -> None:
    await start_worker(tasks=[ship], lease_renewal=0.2)
    await wait_until(lambda: monitor.workers(connection), "the worker to declare its tasks")
    args = (4711, "a", "b"), {"address": {"city": "Rome"}, "api_key": "hunter2"}
    for _ in range(2):
        result = await ship.apply_async(*args)
        await reach(result, "FAILURE")
    again = await monitor.retry(connection, result.id)

    page = await page_of(ann, result.id)

    assert re.search(r"FAILURE Failed \d+ \w+ [\d:]+ on \S+ after \d+ ms; +[23] like it in the last hour", words(page))
    named = dict(re.findall(r"<dt><bdi>([^<]+)</bdi></dt><dd[^>]*><(?:code|pre)[^>]*>([^<]*)", page.text))
    quote = "&#34;"
    assert named["order_id"] == "4711"
    assert (named["*parcels[0]"], named["*parcels[1]"]) == (f"{quote}a{quote}", f"{quote}b{quote}")
    assert named["address"] == f"{{\n  {quote}city{quote}: {quote}Rome{quote}\n}}"
    assert named["api_key"] == f"{quote}***{quote}"
    assert "(Asia/Tokyo)" in words(page)
    assert re.search(r'class="trace".*<b><bdi>ship</bdi></b>', page.text, re.DOTALL)
    assert f"Run again as {again}" in words(page)
    assert f"This runs an earlier job again: {result.id}" in words(await page_of(ann, again))


async def test_a_job_that_waits_says_why_in_the_readers_zone_and_what_to_do(
    connection: JobsRedis, start_worker: StartWorker, reach: Reach, ann: httpx.AsyncClient
) -> None:
    await start_worker(tasks=[later, reports])
    retrying, told = await later.delay(), await reports.delay()
    await reach(retrying, "RETRY")
    await reach(told, "SUCCESS")
    await monitor.noted(connection, "ben", "pause queue", "default", lambda: monitor.pause(connection, "default"))
    waiting = await later.delay()

    shown = words(await page_of(ann, retrying.id))
    paused = await page_of(ann, waiting.id)
    done = await page_of(ann, told.id)

    assert "Attempt 1 failed" in shown
    assert re.search(r"its retry is due at \d+ \w+ [\d:]+ \(Asia/Tokyo\)", shown)
    assert " UTC" not in shown
    assert re.search(r"queue 'default' is paused, by ben since \d+ \w+", words(paused).replace("&#39;", "'"))
    assert "/queue/resume" in Marks(paused.text).actions
    assert re.search(r'<progress max="8" value="3"', done.text)
    assert "what : 'rows'" in words(done).replace("&#39;", "'")

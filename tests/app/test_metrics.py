"""What Prometheus is told: by whom it may be asked, the format, counters that only rise, labels that stay few."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from quart import Quart

from app import create_app
from jobs import monitor, send_task
from jobs.contrib.prometheus import MAX_LABELLED
from jobs.store.keys import NO_PREFIX, Keys
from settings import Settings
from tests.app.scraping import TOKEN, page, scrape
from tests.app.visitor import Visitor
from tests.app.working import working
from tests.metric_names import OF_JOBS, OF_THE_SITE, families
from tests.waiting import wait_until


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, metrics_token=TOKEN)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Quart]:
    app = create_app(settings)
    async with app.test_app():
        yield app


async def test_only_the_owner_and_the_token_get_them(
    app: Quart, visitor: Visitor, alice: Visitor, owner: Visitor
) -> None:
    assert (await visitor.get("/metrics")).status_code == 303
    assert (await alice.get("/metrics")).status_code == 403
    assert (await owner.get("/metrics")).status_code == 200
    for wrong in ("", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ünicode", TOKEN):
        for who in (visitor, alice):
            response = await who.get("/metrics", headers={"Authorization": wrong})
            assert response.status_code == 401, wrong
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "quarq_" not in who.text
    assert await scrape(app)


async def test_the_token_opens_nothing_else(visitor: Visitor) -> None:
    for path in ("/playground/", "/account"):
        assert (await visitor.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 303


async def test_without_a_token_set_no_token_is_right(settings: Settings) -> None:
    app = create_app(replace(settings, metrics_token=""))
    async with app.test_app():
        visitor = Visitor(app)
        for header in ("Bearer ", f"Bearer {TOKEN}"):
            assert (await visitor.get("/metrics", headers={"Authorization": header})).status_code == 401


async def test_counters_count_what_ended_and_only_rise(app: Quart, settings: Settings) -> None:
    async with working(settings):
        await (await send_task("demo.multiply", (2, 3))).get(timeout=10)
        await wait_until(lambda: app.extensions["redis"].hlen("jobs:totals"), "the counters")
        first = await scrape(app)
        failed = await send_task("demo.multiply", ({}, {}))
        await failed.get(timeout=10, propagate=False)
        second = await scrape(app)

    assert first['quarq_jobs_finished_total{outcome="success",task="demo.multiply"}'] == 1
    assert second['quarq_jobs_finished_total{outcome="failure",task="demo.multiply"}'] == 1
    assert second['quarq_job_run_seconds_count{task="demo.multiply"}'] == 2
    assert second['quarq_job_run_seconds_bucket{le="+Inf",task="demo.multiply"}'] == 2
    assert second['quarq_job_wait_seconds_bucket{le="8.192",task="demo.multiply"}'] == 2
    assert second['quarq_workers{queue="default"}'] == 1
    rising = [name for name in first if re.search(r"_total|_bucket|_count|_sum", name)]
    assert len(rising) > 50
    assert all(second[name] >= first[name] for name in rising)


async def test_every_metric_keeps_its_name_its_type_and_its_labels(app: Quart, settings: Settings) -> None:
    async with working(settings):
        await (await send_task("demo.multiply", (2, 3))).get(timeout=10)
        await wait_until(lambda: app.extensions["redis"].hlen("jobs:totals"), "the counters")
        schedule, *_ = await monitor.schedules(app.extensions["redis"])
        await app.extensions["redis"].hset(f"jobs:schedule:{schedule.name}", "last_run", 1_700_000_000_000)
        text = await page(app)

    assert families(text) == OF_JOBS | OF_THE_SITE


async def test_mails_are_counted_by_state(app: Quart, alice: Visitor) -> None:
    await alice.post("/reminders/new", text="Mine", **{"in": "1h"})

    found = await scrape(app)

    assert found['quarq_mails{kind="reminder",state="scheduled"}'] == 1
    assert found['quarq_mails{kind="digest",state="failed"}'] == 0
    assert found["quarq_digest_unfinished_seconds"] == 0


async def test_names_made_up_from_data_get_no_labels_of_their_own(app: Quart, settings: Settings) -> None:
    redis = app.extensions["redis"]
    made_up = {f"alice-{n}@example.org|FAILURE": 1 for n in range(MAX_LABELLED + 50)}
    for counters in "jobs:totals", f"jobs:stats:{(await redis.time())[0] // 60}":
        await redis.hset(counters, mapping=made_up)
    for key in "jobs:queues", "jobs:paused":
        await redis.sadd(key, *(f"queue-{n}" for n in range(MAX_LABELLED + 50)))

    found = await scrape(app)

    assert "alice" not in "".join(found)
    assert found['quarq_jobs_finished_total{outcome="failure",task="(others)"}'] == MAX_LABELLED + 50
    assert sum(name.startswith("quarq_queue_paused") for name in found) == MAX_LABELLED
    assert found['quarq_queue_jobs{queue="(others)",state="due"}'] == 0


async def test_hostile_names_stay_within_their_quotes(app: Quart) -> None:
    """No call takes such a queue; who writes to Redis can make one."""
    queue = 'a"} 1\nquarq_up{x="\\'
    await app.extensions["redis"].zadd(NO_PREFIX.queue_key(queue), {"job": 1})
    await app.extensions["redis"].sadd(Keys.QUEUES, queue)

    found = await scrape(app)

    assert found[r'quarq_queue_paused{queue="a\"} 1\nquarq_up{x=\"\\"}'] == 0


@pytest.mark.both_databases("the database is busy or away")
async def test_what_is_away_leaves_its_figures_out(app: Quart, settings: Settings) -> None:
    working_redis = app.extensions["redis"]
    app.extensions["redis"] = away = type(working_redis).at(f"unix://{settings.data_dir}/nowhere.sock")

    found = await scrape(app)

    assert found['quarq_up{part="redis"}'] == 0
    assert found['quarq_up{part="database"}'] == 1
    assert 'quarq_mails{kind="reminder",state="sent"}' in found
    assert not any(name.startswith("quarq_redis_memory") for name in found)
    app.extensions["redis"] = working_redis
    await away.aclose()

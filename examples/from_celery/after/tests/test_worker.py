"""What no eager mode can test, with a real Redis and a real worker."""

import asyncio
from datetime import UTC, datetime

import pytest
from shop import bank, db
from shop.worker import settings_of

from jobs import Result


@pytest.fixture
async def client(app, jobs_worker):
    """Its requests run in a thread, as in production."""
    async with jobs_worker(settings_of(app)):
        yield app.test_client()


async def ask(method, *args, **kwargs):
    return (await asyncio.to_thread(method, *args, **kwargs)).json


async def reports_something(report):
    await anext(Result(report["job"]).progress())


async def test_an_order_whose_bank_is_away_for_a_while(client, jobs_clock):
    bank.outages = 2
    ordered = await ask(client.post, "/orders", json={"item": "tea", "card": "4242", "email": "ann@example.org"})
    await jobs_clock.advance(minutes=1)
    assert db.order(ordered["order"])["state"] == "shipped"
    assert (await ask(client.get, f"/jobs/{ordered['job']}"))["state"] == "SUCCESS"
    assert db.diary() == [f"to ann@example.org: Thank you for order {ordered['order']}"]


async def test_a_report_that_fails_is_noted_once(client, jobs_worker):
    report = await ask(client.post, "/turnover/never", json={})
    await jobs_worker.until_idle()
    assert await ask(client.get, f"/jobs/{report['job']}") == {"state": "FAILURE", "error": "there is no such day"}
    assert db.diary() == ["shop.tasks.reports.turnover failed: there is no such day"]


async def test_a_slow_report_shows_how_far_it_is_and_is_guessed(client, jobs_worker):
    report = await ask(client.post, "/turnover/monday", json={"slow": 2})
    await reports_something(report)
    seen = await ask(client.get, f"/jobs/{report['job']}")
    assert seen == {"state": "STARTED", "progress": {"done": 0, "of": 4}}
    await jobs_worker.until_idle()
    assert db.diary() == ["monday: too slow, guessed"]


async def test_a_report_that_nobody_wants_any_more(client, jobs_worker):
    report = await ask(client.post, "/turnover/monday", json={"slow": 20})
    await reports_something(report)
    await ask(client.delete, f"/jobs/{report['job']}")
    await jobs_worker.until_idle()
    assert await ask(client.get, f"/jobs/{report['job']}") == {"state": "REVOKED"}


async def test_the_report_comes_on_monday_at_seven_in_berlin(app, jobs_worker, jobs_clock):
    await jobs_clock.move_to(datetime(2026, 11, 30, 5, 55, tzinfo=UTC))
    async with jobs_worker(settings_of(app)):
        await jobs_clock.advance(minutes=10)
    assert sorted(db.diary()) == ["carts older than 48 h forgotten", "to owner@example.org: turnover 70"]

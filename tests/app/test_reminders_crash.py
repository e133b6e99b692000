"""A worker that is killed while it sends: before DATA nothing has gone out, after it the same mail goes once more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts.models import Account
from app.database import Database
from app.reminders.models import Reminder, State
from app.reminders.series import Series
from settings import Settings
from tests.app.killing import killed_at_each_line, start_worker
from tests.smtp_server import STALL, STALL_AFTER_DOT, smtp_server
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


async def add(database: Database, text: str) -> None:
    async with database.session() as db:
        db.add(Reminder(date=datetime.now(UTC), email="alice@example.org", text=text))
        await db.commit()


async def test_a_process_killed_at_any_line_writes_the_next_one_of_a_series_once(
    settings: Settings, database: Database
) -> None:
    """And none of its lines leaves a series that has moved on without it."""
    start = datetime(2039, 12, 30, 9, tzinfo=UTC)
    async with database.session() as db:
        db.add(Account(email="alice@example.org", timezone="Europe/Berlin", created_at=start))
        await db.flush()
        text = {"email": "alice@example.org", "text": "Pills", "account_id": 1}
        db.add(Series(**text, repeat="daily", zone="Europe/Berlin", start=start, slot=start))
        db.add(Reminder(**text, date=start, slot=start, series_id=1, state=State.SENT))
        await db.commit()

    queries = ("SELECT date, state FROM reminder ORDER BY id", "SELECT slot FROM reminder_series")
    runs = await killed_at_each_line(settings, "app.reminders.advancing", "advance_a_series", *queries)

    before = [[["2039-12-30 09:00:00.000000", "sent"]], [["2039-12-30 09:00:00.000000"]]]
    slot = "2040-01-01 09:00:00.000000"
    after = [[*before[0], [slot, "scheduled"]], [[slot]]]
    assert [run[0] for run in runs] == [True] * (len(runs) - 1) + [False]
    assert all(run[1:] in (before, after) for run in runs)
    assert runs[-1][1:] == after
    assert sum(run[1:] == before for run in runs) > 10


@pytest.mark.timeout(150)
async def test_a_worker_killed_before_and_after_data(settings: Settings, database: Database) -> None:
    async def all_sent() -> bool:
        async with database.session() as db:
            return set(await db.scalars(select(Reminder.state))) == {State.SENT}

    async with smtp_server() as smtp:
        smtp.script = {"rcpt": [STALL], "dot": [STALL_AFTER_DOT]}
        first = start_worker(settings, smtp.port)
        try:
            await add(database, "before DATA")
            await wait_until(lambda: any("RCPT" in line for line in smtp.commands), "RCPT", timeout_s=20)
            await add(database, "after DATA")
            await wait_until(lambda: smtp.accepted, "the mail to be taken", timeout_s=20)
        finally:
            first.kill()
            first.wait()

        second = start_worker(settings, smtp.port)
        try:
            await wait_until(all_sent, "both to be sent", timeout_s=90)
        finally:
            second.terminate()
            second.wait(30)

        before = [mail for mail in smtp.accepted if b"before DATA" in mail.raw]
        after = [mail for mail in smtp.accepted if b"after DATA" in mail.raw]
        assert len(before) == 1
        assert len(after) == 2
        assert after[0].message_id == after[1].message_id
        assert second.returncode == 0

"""A mail server that takes its time: what waits for it holds no worker's slot, and no kind of mail holds up another."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from quart import Quart
from sqlalchemy import select

from app.background import TASKS
from app.database import Database
from app.playground.tasks import multiply
from app.reminders.models import Reminder, State
from settings import ROOT, Settings
from tests.app.visitor import Visitor
from tests.app.working import working
from tests.smtp_server import SmtpServer, mailing
from tests.waiting import wait_until

MAIL = ROOT / "docs" / "mail.md"
TABLE_ROW = re.compile(r"^\| .* \| `([\w.]+)` \| (\d+) \|$", re.MULTILINE)
MANY = 150  # reminders: more than a worker has slots
SLOW_S = 4.0
SOON_S = 2.0  # a busy machine's; without the mail server it is a few milliseconds


def test_each_kind_of_mail_has_its_number_and_together_they_leave_slots_to_others() -> None:
    documented = {name: int(number) for name, number in TABLE_ROW.findall(MAIL.read_text())}
    limits = {task.name: task.options.max_concurrency for task in TASKS}

    assert {name: limits[name] for name in documented} == documented
    assert {name for name, limit in limits.items() if limit} == documented.keys()
    assert sum(documented.values()) <= 64  # of 100


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    smtp.delay_s = SLOW_S
    return mailing(settings, smtp)


@pytest.fixture
async def many_due(app: Quart, database: Database, settings: Settings, smtp: SmtpServer) -> AsyncIterator[None]:
    """A worker sends the first of many reminders; the others wait. After the test all are sent, each once."""
    now = datetime.now(UTC)
    async with database.session() as db:
        db.add_all(Reminder(date=now, email="alice@example.org", text=f"Number {n}") for n in range(MANY))
        await db.commit()
    async with working(settings):
        await wait_until(lambda: "DATA" in smtp.commands, "the first mail")
        yield
        smtp.delay_s = 0
        await wait_until(lambda: all_sent(database), "all reminders", timeout_s=30)
    numbers = [re.search(rb"Number (\d+)", mail.raw) for mail in smtp.accepted]
    assert sorted(int(found[1]) for found in numbers if found) == list(range(MANY))


async def all_sent(database: Database) -> bool:
    async with database.session() as db:
        return len((await db.scalars(select(Reminder.id).where(Reminder.state == State.SENT))).all()) == MANY


async def test_other_jobs_run_at_once(many_due: None, smtp: SmtpServer) -> None:
    waits = []
    until = time.monotonic() + SLOW_S * 1.5
    while time.monotonic() < until:
        began = time.monotonic()
        await (await multiply.delay(4, 4)).get(timeout=30)
        waits.append(time.monotonic() - began)
        await asyncio.sleep(0.1)  # without a pause it would keep a processor busy for seconds

    assert max(waits) < SOON_S
    assert smtp.open_now


async def test_mails_that_people_wait_for_leave_beside_them(
    many_due: None, app: Quart, alice: Visitor, smtp: SmtpServer
) -> None:
    """A link to sign in, a confirmation for a subscriber, and a question to somebody who is to be reminded."""
    began = time.time()
    await Visitor(app).post("/sign-in", email="charlie@example.org")
    await Visitor(app).post("/subscribe", email="dora@example.org")
    await alice.post("/reminders/new", text="Water my plants", to="bob@example.org", **{"in": "1h"})
    expected = {"charlie@example.org", "dora@example.org", "bob@example.org"}

    def left() -> dict[str, float]:
        return {mail.recipients[0]: mail.at - began for mail in smtp.accepted if mail.recipients[0] in expected}

    await wait_until(lambda: left().keys() == expected, "the three mails", timeout_s=60)
    assert max(left().values()) < SLOW_S + SOON_S
    assert len(smtp.accepted) < MANY

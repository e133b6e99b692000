"""What becomes of a reminder for every way a delivery can end, and that nothing is mailed twice or too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import delete, update

from app import create_app
from app.context import close, task_context
from app.database import Database
from app.mail import Mailer, MailServer
from app.reminders import delivery
from app.reminders.delivery import MAY_HAVE_ARRIVED, Tries, deliver
from app.reminders.models import Reminder, State
from settings import Settings
from tests.app.rows import writing_alone
from tests.smtp_server import DROP, DROP_AFTER_DOT, DROP_MID_DATA, STALL, STALL_AFTER_DOT, SmtpServer, smtp_server
from tests.waiting import wait_until

TRIES = Tries(more=5, every=timedelta(seconds=300))


class Site:
    """The application's database and mail server, without pages, Redis or a worker."""

    def __init__(self, app: Quart, smtp: SmtpServer) -> None:
        self.app, self.smtp = app, smtp
        self.database: Database = app.extensions["database"]
        self.use_patience(0.3)

    def use_patience(self, seconds: float) -> None:
        """How long the mail server may take for each answer."""
        server = MailServer(
            "127.0.0.1", self.smtp.port, tls="none", connect_s=seconds, command_s=seconds, data_s=seconds
        )
        self.app.extensions["mailer"] = Mailer(server, sender="Quarq <quarq@example.org>", pause_s=0)

    async def add(self, **given: Any) -> Reminder:
        now = datetime.now(UTC)
        known = {"date": now - timedelta(seconds=1), "email": "alice@example.org", "text": "Water the plants"}
        reminder = Reminder(**(known | given))
        async with self.database.session() as db:
            db.add(reminder)
            await db.commit()
        return reminder

    async def read(self, pk: int = 1) -> Reminder:
        async with self.database.session() as db:
            found = await db.get(Reminder, pk)
        assert found is not None
        return found

    async def change(self, **values: Any) -> None:
        async with self.database.session() as db:
            await db.execute(update(Reminder).values(**values))
            await db.commit()

    async def deliver(self, pk: int = 1) -> timedelta | None:
        return await deliver(pk, TRIES)


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[Site]:
    app = create_app(settings)
    async with smtp_server() as smtp, task_context(app)(None):
        yield Site(app, smtp)
    await close(app)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_mailed_and_recorded(site: Site) -> None:
    await site.add(text="给植物浇水 <b>🧺</b>", email="alice@xn--bcher-kva.example")

    assert await site.deliver() is None

    [mail] = site.smtp.accepted
    assert mail.recipients == ["alice@xn--bcher-kva.example"]
    assert mail.message["Subject"] == "Your reminder: 给植物浇水 <b>🧺</b>"
    assert mail.message["From"] == "Quarq <quarq@example.org>"
    plain, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines()[0] == "给植物浇水 <b>🧺</b>"
    assert "给植物浇水 &lt;b&gt;🧺&lt;/b&gt;</p>" in html.get_content()
    reminder = await site.read()
    assert (reminder.state, reminder.reason, reminder.attempts) == (State.SENT, "", 0)
    assert reminder.sent_at is not None


@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_claimed_in_sql_before_its_text_leaves(site: Site) -> None:
    await site.add()
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(site.deliver())
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")

    assert (await site.read()).state == State.SENDING
    await sending
    assert (await site.read()).state == State.SENT


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_second_call_sends_nothing(site: Site) -> None:
    await site.add()

    await asyncio.gather(*(site.deliver() for _ in range(10)))
    await site.deliver()

    assert len(site.smtp.accepted) == 1


@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_never_early(site: Site) -> None:
    await site.add(date=datetime.now(UTC) + timedelta(seconds=30))
    await site.add(date=datetime.now(UTC) + timedelta(hours=1))

    wait = await site.deliver(1)
    assert wait is not None
    assert timedelta(seconds=29) < wait <= timedelta(seconds=30)
    assert await site.deliver(2) is None
    assert await site.deliver(99) is None
    assert not site.smtp.connections


@pytest.mark.parametrize(
    ("stage", "answer"),
    [("mail", "451 later"), ("rcpt", "450 greylisted"), ("data", "451 later"), ("dot", "452 disk full")],
)
async def test_not_now_counts_a_try_and_five_more_are_made(site: Site, stage: str, answer: str) -> None:
    await site.add()
    site.smtp.script[stage] = answer

    for tries in range(1, 6):
        assert await site.deliver() == timedelta(seconds=300)
        reminder = await site.read()
        assert (reminder.state, reminder.attempts) == (State.SCHEDULED, tries)
        assert answer in reminder.reason
        left = reminder.next_try_at - datetime.now(UTC)
        assert timedelta(seconds=295) < left <= timedelta(seconds=300)
        await site.change(next_try_at=datetime.now(UTC))
    assert await site.deliver() is None

    reminder = await site.read()
    assert (reminder.state, reminder.attempts) == (State.FAILED, 6)
    assert answer in reminder.reason
    assert not site.smtp.accepted


@pytest.mark.parametrize(
    ("stage", "answer"),
    [("mail", "550 no"), ("rcpt", "550 no such person"), ("data", "554 no"), ("dot", "554 looks like spam")],
)
async def test_no_is_final(site: Site, stage: str, answer: str) -> None:
    await site.add()
    site.smtp.script[stage] = answer

    assert await site.deliver() is None

    reminder = await site.read()
    assert (reminder.state, reminder.attempts) == (State.FAILED, 1)
    assert answer in reminder.reason
    assert await site.deliver() is None
    assert site.smtp.connections == 1


@pytest.mark.parametrize("does", [DROP, STALL, "421 closing down", "554 not for you"])
async def test_a_server_that_is_away_uses_no_try(site: Site, does: str) -> None:
    await site.add()
    site.smtp.script["banner"] = does

    waits = []
    away = datetime.now(UTC)
    for minutes in (0, 2, 8, 20, 90, 3 * 24 * 60):
        await site.change(next_try_at=away, unreachable_since=away - timedelta(minutes=minutes) if minutes else None)
        waits.append(await site.deliver())
    reminder = await site.read()
    assert (reminder.state, reminder.attempts) == (State.SCHEDULED, 0)
    assert reminder.reason
    for wait, most in zip(waits, (1, 2, 8, 20, 30, 30), strict=True):
        assert wait is not None
        assert most * 0.79 <= wait / timedelta(minutes=1) <= most * 1.02

    await site.change(next_try_at=away, unreachable_since=away - timedelta(days=4, seconds=1))
    assert await site.deliver() is None
    reminder = await site.read()
    assert reminder.state == State.FAILED
    assert reminder.reason.startswith("Given up after 4 days. ")


@pytest.mark.parametrize("does", [DROP_MID_DATA, DROP, DROP_AFTER_DOT, STALL_AFTER_DOT])
async def test_an_uncertain_end_is_repeated_once_under_the_same_message_id(site: Site, does: str) -> None:
    await site.add()
    site.smtp.script["data" if does == DROP_MID_DATA else "dot"] = does

    assert await site.deliver() == delivery.AFTER_UNCERTAIN
    assert (await site.read()).state == State.SCHEDULED
    await site.change(next_try_at=datetime.now(UTC))
    assert await site.deliver() is None

    reminder = await site.read()
    assert (reminder.state, reminder.reason) == (State.FAILED, MAY_HAVE_ARRIVED)
    assert len(site.smtp.accepted) == (2 if does in (DROP_AFTER_DOT, STALL_AFTER_DOT) else 0)
    assert len({mail.message_id for mail in site.smtp.accepted}) <= 1
    assert site.smtp.connections == 2


async def test_the_repetition_may_succeed(site: Site) -> None:
    await site.add()
    site.smtp.script["dot"] = [DROP_AFTER_DOT]

    await site.deliver()
    await site.change(next_try_at=datetime.now(UTC))
    await site.deliver()

    assert (await site.read()).state == State.SENT
    first, second = site.smtp.accepted
    assert first.message_id == second.message_id


async def test_an_edit_has_a_message_id_of_its_own(site: Site) -> None:
    await site.add()
    site.smtp.script["dot"] = [DROP_AFTER_DOT]
    await site.deliver()

    async with site.database.session() as db:
        reminder = await db.get(Reminder, 1)
        assert reminder is not None
        reminder.text = "Water the cactus"
        await db.commit()
    await site.deliver()

    first, second = site.smtp.accepted
    assert first.message_id != second.message_id
    assert (await site.read()).state == State.SENT


@pytest.mark.both_databases("a claim in SQL decides")
async def test_what_a_dead_worker_was_sending_is_taken_over_once(site: Site) -> None:
    await site.add(state=State.SENDING, claims=1, claimed_until=datetime.now(UTC) + timedelta(seconds=10))

    wait = await site.deliver()
    assert wait is not None
    assert timedelta(seconds=9) < wait < timedelta(seconds=12)
    assert not site.smtp.connections

    await site.change(claimed_until=datetime.now(UTC))
    assert await site.deliver() is None
    reminder = await site.read()
    assert (reminder.state, reminder.uncertain) == (State.SENT, 1)
    assert len(site.smtp.accepted) == 1


@pytest.mark.both_databases("a claim in SQL decides")
async def test_one_taken_over_while_the_server_is_away_is_still_repeated_only_once(site: Site) -> None:
    past = datetime.now(UTC)
    await site.add(state=State.SENDING, claims=1, claimed_until=past)
    site.smtp.script["banner"] = [DROP]
    site.smtp.script["dot"] = DROP_AFTER_DOT

    await site.deliver()
    await site.change(next_try_at=datetime.now(UTC))
    await site.deliver()

    reminder = await site.read()
    assert (reminder.state, reminder.reason) == (State.FAILED, MAY_HAVE_ARRIVED)
    assert len(site.smtp.accepted) == 1


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_worker_that_lost_its_claim_changes_nothing(site: Site) -> None:
    """It slept through its lease; another has sent the mail meanwhile."""
    await site.add()
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(site.deliver())
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    await site.change(claims=2, state=State.SENT, reason="by another")

    await sending

    reminder = await site.read()
    assert (reminder.state, reminder.reason, reminder.claims) == (State.SENT, "by another", 2)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_long_answer_keeps_the_claim(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RENEW_S", 0.05)
    await site.add()
    site.smtp.delay_s = 0.25
    sending = asyncio.create_task(site.deliver())
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    await site.change(claimed_until=datetime.now(UTC) - timedelta(seconds=1))

    await asyncio.sleep(0.12)  # the behaviour under test is what happens in time
    claimed_until = (await site.read()).claimed_until
    await sending

    assert claimed_until is not None
    assert claimed_until > datetime.now(UTC)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_cancel_or_an_edit_before_the_claim_stops_the_mail(site: Site) -> None:
    """A hundred races between a page and the worker: what was cancelled in time is not mailed, the rest is."""
    cancelled = 0
    for pk in range(1, 101):
        await site.add()

        async def cancel(pk: int = pk) -> bool:
            await asyncio.sleep(0.0001 * (pk % 40))
            async with site.database.transaction() as db:
                reminder = await db.get_one(Reminder, pk, with_for_update=True)
                if not reminder.can_change:
                    return False
                reminder.state = State.CANCELLED
            return True

        _, was_cancelled = await asyncio.gather(site.deliver(pk), cancel())
        cancelled += was_cancelled
        assert (await site.read(pk)).state == (State.CANCELLED if was_cancelled else State.SENT)
        assert len(site.smtp.accepted) == pk - cancelled


@pytest.mark.both_databases("a claim in SQL decides")
async def test_an_edit_before_the_claim_leaves_only_the_new_time(site: Site) -> None:
    """A hundred races between a page and the worker: what was moved in time is not mailed at the old time."""
    edited = 0
    for pk in range(1, 101):
        await site.add()

        async def edit(pk: int = pk) -> bool:
            await asyncio.sleep(0.0005 * (pk % 40))
            async with site.database.transaction() as db:
                reminder = await db.get(Reminder, pk, with_for_update=True)
                assert reminder is not None
                if not reminder.can_change:
                    return False
                reminder.date = datetime.now(UTC) + timedelta(hours=1)
            return True

        _, was_edited = await asyncio.gather(site.deliver(pk), edit())
        edited += was_edited
        reminder = await site.read(pk)
        assert (reminder.state, reminder.revision) == ((State.SCHEDULED, 1) if was_edited else (State.SENT, 0))
        assert len(site.smtp.accepted) == pk - edited
    assert 0 < edited < 100


@pytest.mark.both_databases("a claim in SQL decides")
async def test_one_deleted_before_the_claim_is_not_mailed(site: Site) -> None:
    """A hundred races, as when an account is deleted: what was being sent already is the only thing that leaves."""
    left = 0
    for pk in range(1, 101):
        await site.add()

        async def remove(pk: int = pk) -> str:
            await asyncio.sleep(0.0005 * (pk % 40))
            async with site.database.transaction() as db:
                query = delete(Reminder).where(Reminder.id == pk).returning(Reminder.state)
                return (await db.execute(query)).scalar_one()

        _, state = await asyncio.gather(site.deliver(pk), remove())
        left += state != State.SCHEDULED
        assert len(site.smtp.accepted) == left
    assert 0 < left < 100


@pytest.mark.both_databases("the database is busy or away")
async def test_a_busy_database_delays_and_loses_nothing(site: Site, settings: Settings) -> None:
    await site.add()
    impatient = Database(settings.database_url, patience_s=0)
    site.app.extensions["database"] = impatient
    try:
        async with writing_alone(site.database):
            assert await site.deliver() == delivery.AFTER_BUSY
            assert not site.smtp.accepted

        assert await site.deliver() is None
    finally:
        site.app.extensions["database"] = site.database
        await impatient.close()
    assert (await site.read()).state == State.SENT


@pytest.mark.both_databases("the database is busy or away")
async def test_a_sent_mail_is_recorded_even_if_the_database_is_busy_then(site: Site, settings: Settings) -> None:
    await site.add()
    site.smtp.delay_s = 0.2
    impatient = Database(settings.database_url, patience_s=0)
    site.app.extensions["database"] = impatient
    try:
        sending = asyncio.create_task(site.deliver())
        await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
        async with writing_alone(site.database):
            await wait_until(lambda: site.smtp.accepted, "the mail to be taken")
            await asyncio.sleep(0.1)
        await sending
    finally:
        site.app.extensions["database"] = site.database
        await impatient.close()
    assert (await site.read()).state == State.SENT
    assert len(site.smtp.accepted) == 1


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_shutdown_right_after_the_answer_still_records_it(site: Site) -> None:
    await site.add()
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(site.deliver())
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    async with writing_alone(site.database):
        await wait_until(lambda: any("_record_sent" in repr(task) for task in asyncio.all_tasks()), "the record")
        sending.cancel()
        await asyncio.wait([sending])

    async def state() -> bool:
        return (await site.read()).state == State.SENT

    await wait_until(state, "the record of what was sent")


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_shutdown_right_after_a_refusal_still_records_it(site: Site) -> None:
    """Else it would look as if its worker had died after DATA, and be sent once more as uncertain."""
    await site.add()
    site.smtp.script["dot"] = "451 later"
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(site.deliver())
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    async with writing_alone(site.database):
        await wait_until(lambda: any("_settle" in repr(task) for task in asyncio.all_tasks()), "the record")
        sending.cancel()
        await asyncio.wait([sending])

    async def state() -> bool:
        return (await site.read()).state == State.SCHEDULED

    await wait_until(state, "the record of the refusal")
    reminder = await site.read()
    assert (reminder.attempts, reminder.uncertain) == (1, 0)


def test_its_repr_is_its_beginning() -> None:
    assert repr(Reminder(text="Water the plants on the balcony")) == "<Reminder 'Water the plants on '>"

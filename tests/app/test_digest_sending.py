"""A digest on its way: one mail each, whatever the mail server, the subscribers and the owner do meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.blog import Post
from app.database import Database
from app.digest import batch, ledger, rounds
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from settings import Settings
from tests.app.digests import DigestSite, digest_site
from tests.app.rows import writing_alone
from tests.smtp_server import DROP, DROP_AFTER_DOT, DROP_MID_DATA, STALL_AFTER_DOT
from tests.waiting import wait_until

LEAVES = subscribers.State.UNSUBSCRIBED


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        await here.publish("One")
        yield here


@pytest.mark.both_databases("a claim in SQL decides")
async def test_each_subscriber_gets_one_mail_over_few_connections(site: DigestSite) -> None:
    await site.subscribe(60)
    pk = await site.begin()

    assert await site.round(pk) is None

    assert site.mailed == {f"reader{n}@example.org": 1 for n in range(60)}
    assert site.smtp.connections <= batch.CONNECTIONS
    assert len({mail.message_id for mail in site.smtp.accepted}) == 60
    assert await site.steps(pk) == {Step.SENT: 60}
    digest = await site.digest(pk)
    assert (digest.state, digest.reason) == (State.DONE, "")
    assert digest.ended_at is not None


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_second_run_of_everything_sends_nothing(site: DigestSite) -> None:
    await site.subscribe(10)
    pk = await site.begin()

    await asyncio.gather(*(batch.send_batch(pk, 1, 10) for _ in range(5)))
    await site.round(pk)
    await site.round(pk)

    assert site.mailed == {f"reader{n}@example.org": 1 for n in range(10)}


@pytest.mark.both_databases("a claim in SQL decides")
async def test_it_is_claimed_in_sql_before_its_text_leaves(site: DigestSite) -> None:
    await site.subscribe()
    pk = await site.begin()
    site.smtp.delay_s = 0.2
    sending = asyncio.create_task(site.round(pk))
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")

    assert await site.steps(pk) == {Step.SENDING: 1}
    await sending
    assert await site.steps(pk) == {Step.SENT: 1}


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_not_now_counts_a_try_and_five_more_are_made(site: DigestSite, stage: str) -> None:
    await site.subscribe()
    pk = await site.begin()
    site.smtp.script[stage] = "451 later"

    for tries in range(1, 6):
        wait = await site.round(pk)
        assert wait is not None
        assert timedelta(seconds=295) < wait <= timedelta(seconds=300)
        [delivery] = await site.deliveries(pk)
        assert (delivery.step, delivery.attempts) == (Step.WAITING, tries)
        assert "451 later" in delivery.reason
        await site.change(Delivery, next_try_at=datetime.now(UTC))
    assert await site.round(pk) is None

    [delivery] = await site.deliveries(pk)
    assert (delivery.step, delivery.attempts) == (Step.FAILED, 6)
    assert (await site.digest(pk)).state == State.DONE
    assert not site.mailed


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_no_is_final_and_suppresses_an_address_that_nobody_has(site: DigestSite, stage: str) -> None:
    await site.subscribe(2)
    pk = await site.begin()
    answer = "550 5.1.1 no such person" if stage == "rcpt" else "554 5.7.1 no"
    site.smtp.script[stage] = [answer]

    assert await site.round(pk) is None

    assert await site.steps(pk) == {Step.FAILED: 1, Step.SENT: 1}
    async with site.database.session() as db:
        ended = (await db.scalars(select(Subscriber).where(Subscriber.state != "confirmed"))).all()
    if stage == "rcpt":
        [subscriber] = ended
        assert subscriber.state == subscribers.State.SUPPRESSED
        assert "550 5.1.1 no such person" in subscriber.reason
    else:
        assert not ended, "our fault, or the text's"


@pytest.mark.parametrize("does", [DROP_MID_DATA, DROP, DROP_AFTER_DOT, STALL_AFTER_DOT])
@pytest.mark.both_databases("a claim in SQL decides")
async def test_an_uncertain_end_is_left_to_the_owner(site: DigestSite, does: str) -> None:
    await site.subscribe(3)
    pk = await site.begin()
    if does == DROP_MID_DATA:
        site.smtp.script["data"] = does
    else:
        site.smtp.script["dot"] = [does]

    await site.round(pk)
    await site.round(pk)

    uncertain = 3 if does == DROP_MID_DATA else 1
    assert (await site.steps(pk))[Step.UNCERTAIN] == uncertain
    assert (await site.steps(pk))[Step.SENT] == 3 - uncertain
    assert max(site.mailed.values(), default=0) <= 1
    assert (await site.digest(pk)).state == State.DONE


@pytest.mark.parametrize("does", [DROP, "421 closing down"])
async def test_a_server_that_is_away_is_waited_for(site: DigestSite, does: str) -> None:
    await site.subscribe(30)
    pk = await site.begin()
    site.smtp.script["banner"] = does

    wait = await site.round(pk)

    assert wait is not None
    assert 40 < wait.total_seconds() <= 60
    digest = await site.digest(pk)
    assert (digest.state, digest.failures) == (State.SENDING, 0)
    assert digest.unreachable_since is not None
    assert digest.reason
    assert {(d.step, d.attempts) for d in await site.deliveries(pk)} == {(Step.WAITING, 0)}
    tried = site.smtp.connections
    assert await site.round(pk) is not None
    assert site.smtp.connections == tried, "not before its next try"

    site.smtp.script.clear()
    await site.change(Digest, next_try_at=datetime.now(UTC))
    assert await site.round(pk) is None
    assert len(site.mailed) == 30
    assert (await site.digest(pk)).unreachable_since is None


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_after_four_days_it_pauses_itself(site: DigestSite) -> None:
    await site.subscribe()
    pk = await site.begin()
    site.smtp.script["banner"] = DROP
    await site.change(Digest, unreachable_since=datetime.now(UTC) - timedelta(days=4, seconds=1))

    assert await site.round(pk) is None

    digest = await site.digest(pk)
    assert digest.state == State.PAUSED
    assert digest.reason.startswith("Given up after 4 days. ")


async def test_a_server_that_refuses_us_pauses_it_at_once(site: DigestSite) -> None:
    await site.subscribe(30)
    pk = await site.begin()
    site.use_mailer(pause_s=60)
    site.smtp.script["banner"] = "554 5.3.2 not for you"

    assert await site.round(pk) is None

    digest = await site.digest(pk)
    assert digest.state == State.PAUSED
    assert "554 5.3.2 not for you" in digest.reason
    assert await site.steps(pk) == {Step.WAITING: 30}

    site.smtp.script.clear()
    await site.change(Digest, state=State.SENDING)
    assert await site.round(pk) is None
    assert len(site.mailed) == 30, "the mailer's own pause does not keep it from what the owner has mended"


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_twenty_failures_in_a_row_pause_it(site: DigestSite) -> None:
    await site.subscribe(100)
    pk = await site.begin()
    site.smtp.script["dot"] = [None] * 10 + ["554 looks like spam"] * 90

    assert await site.round(pk) is None

    digest = await site.digest(pk)
    assert digest.state == State.PAUSED
    assert digest.reason.startswith("20 mails in a row have failed. The last: ")
    assert "looks like spam" in digest.reason
    steps = await site.steps(pk)
    assert steps[Step.SENT] == 10
    most = 20 + 5 * batch.CONNECTIONS  # and those under way, and those recorded before the last success was
    assert 20 <= steps[Step.FAILED] <= most
    assert steps[Step.WAITING] == 90 - steps[Step.FAILED]


async def test_failures_with_mails_between_them_are_not_in_a_row(site: DigestSite) -> None:
    await site.subscribe(60)
    pk = await site.begin()
    site.smtp.script["dot"] = [answer for _ in range(30) for answer in ("554 no", None)]

    await site.round(pk)

    assert await site.steps(pk) == {Step.SENT: 30, Step.FAILED: 30}
    assert (await site.digest(pk)).state == State.DONE


@pytest.mark.both_databases("of several at once one wins")
async def test_failures_of_one_batch_are_not_in_a_row_while_another_one_sends(
    site: DigestSite, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty neighbours at a host that wants none of it; everybody else's mails go out beside them."""
    monkeypatch.setattr(batch, "LARGEST", 60)
    object.__setattr__(settings, "digest_rate", 40)  # so slow that both batches have begun before 20 have failed
    await site.subscribe(120)
    pk = await site.begin()
    site.smtp.refused = {f"reader{n}@example.org" for n in range(40)}

    await site.round(pk)

    assert await site.steps(pk) == {Step.SENT: 80, Step.FAILED: 40}
    assert (await site.digest(pk)).state == State.DONE


@pytest.mark.both_databases("a claim in SQL decides")
async def test_whoever_has_left_gets_nothing(site: DigestSite) -> None:
    gone, forgotten, refused, stays = await site.subscribe(4)
    pk = await site.begin()
    await site.change(Subscriber, Subscriber.id == gone.id, state=LEAVES)
    await site.change(Subscriber, Subscriber.id == refused.id, state=subscribers.State.SUPPRESSED)
    async with site.database.session() as db:
        await db.delete(await db.get_one(Subscriber, forgotten.id))
        await db.commit()

    assert await site.round(pk) is None

    assert site.mailed == {stays.email: 1}
    assert await site.steps(pk) == {Step.LEFT: 3, Step.SENT: 1}


@pytest.mark.postgres_alone
async def test_an_address_that_is_forgotten_while_a_server_refuses_it_is_forgotten(site: DigestSite) -> None:
    """Neither waits for what the other has locked; one of them would be broken off. SQLite has one writer at a time."""
    [subscriber] = await site.subscribe(1)
    pk = await site.begin()
    site.smtp.script["rcpt"] = "550 5.1.1 no such person"

    async def blocked() -> bool:
        async with site.database.session() as db:
            return bool(await db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

    async with site.database.transaction() as db:
        found = await db.get_one(Subscriber, subscriber.id, with_for_update=True)
        sending = asyncio.create_task(site.round(pk))
        await wait_until(blocked, "the refusal to wait for the one that forgets")
        await db.delete(found)
    await sending

    async with site.database.session() as db:
        [settled] = (await db.scalars(select(Delivery))).all()
    assert (settled.step, settled.subscriber_id) == (Step.FAILED, None)


@pytest.mark.timeout(120)
@pytest.mark.both_databases("a claim in SQL decides")
async def test_no_mail_leaves_after_an_unsubscribe_was_committed(site: DigestSite) -> None:
    """Races between a page and the batch: who left before the claim gets nothing, the others one mail."""
    people = await site.subscribe(200)
    pk = await site.begin()
    left_at: dict[str, bool] = {}

    async def leave(subscriber: Subscriber, after: int) -> None:
        # a moment before its turn, or a moment after
        await wait_until(lambda: len(site.smtp.accepted) >= after, "its moment", timeout_s=60)
        async with site.database.transaction() as db:
            found = await db.get_one(Subscriber, subscriber.id)
            found.state = LEAVES
            mine = Delivery.subscriber_id == subscriber.id
            step = await db.scalar(select(Delivery.step).where(mine))
        left_at[subscriber.email] = step == Step.WAITING

    leaving = [leave(one, min(place, 150) - place % 16) for place, one in enumerate(people) if place % 4 == 1]
    await asyncio.gather(site.round(pk), *leaving)

    assert 0 < sum(left_at.values()) < 50, "some were in time and some were not"
    for email, in_time in left_at.items():
        assert site.mailed[email] == (0 if in_time else 1), email
    assert set(await site.steps(pk)) == {Step.SENT, Step.LEFT}
    assert (await site.digest(pk)).state == State.DONE


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_pause_stops_the_next_mail(site: DigestSite) -> None:
    await site.subscribe(100)
    pk = await site.begin()
    site.smtp.delay_s = 0.02
    sending = asyncio.create_task(site.round(pk))
    await wait_until(lambda: len(site.smtp.accepted) >= 10, "some mails")

    await site.change(Digest, state=State.PAUSED)
    already = len(site.smtp.accepted)
    assert await sending is None

    assert len(site.smtp.accepted) <= already + 2 * batch.CONNECTIONS
    steps = await site.steps(pk)
    assert steps == {Step.SENT: len(site.smtp.accepted), Step.WAITING: 100 - len(site.smtp.accepted)}


@pytest.mark.both_databases("a claim in SQL decides")
async def test_what_a_dead_worker_was_sending_is_uncertain_and_the_rest_is_sent(site: DigestSite) -> None:
    await site.subscribe(10)
    pk = await site.begin()
    dead = {"step": Step.SENDING, "claimed_by": "a dead batch"}
    await site.change(Delivery, Delivery.id <= 4, claimed_until=datetime.now(UTC) + timedelta(seconds=20), **dead)

    wait = await site.round(pk)
    assert wait is not None
    assert timedelta(seconds=15) < wait <= timedelta(seconds=20)
    assert await site.steps(pk) == {Step.SENT: 6, Step.SENDING: 4}

    await site.change(Delivery, Delivery.id <= 4, claimed_until=datetime.now(UTC))
    assert await site.round(pk) is None
    assert await site.steps(pk) == {Step.SENT: 6, Step.UNCERTAIN: 4}
    assert len(site.mailed) == 6


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_long_answer_keeps_the_claim(site: DigestSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RENEW_S", 0.05)
    await site.subscribe()
    pk = await site.begin()
    site.use_mailer(data_s=30)
    site.smtp.delay_s = 3
    sending = asyncio.create_task(site.round(pk))
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    await site.change(Delivery, claimed_until=datetime.now(UTC) - timedelta(seconds=1))

    async def renewed() -> bool:
        [delivery] = await site.deliveries(pk)
        return delivery.claimed_until is not None and delivery.claimed_until > datetime.now(UTC)

    await wait_until(renewed, "the claim to be renewed", timeout_s=2.5)
    await sending
    assert await site.steps(pk) == {Step.SENT: 1}


async def test_mails_leave_no_faster_than_the_rate(site: DigestSite) -> None:
    object.__setattr__(site.app.extensions["settings"], "digest_rate", 20)
    await site.subscribe(12)
    pk = await site.begin()
    began = time.time()

    await batch.send_batch(pk, 1, 12)  # one of two that may run at a time: half of the rate is its

    times = [mail.at for mail in site.smtp.accepted]
    assert len(times) == 12
    assert times[-1] - began >= 11 / 10


async def test_a_login_asked_for_instead_of_the_text_pauses_it_and_leaves_nothing_uncertain(site: DigestSite) -> None:
    await site.subscribe(10)
    pk = await site.begin()
    site.smtp.script["data"] = "530 5.7.0 sign in first"

    assert await site.round(pk) is None

    assert (await site.digest(pk)).state == State.PAUSED
    assert await site.steps(pk) == {Step.WAITING: 10}


@pytest.mark.both_databases("of several at once one wins")
async def test_a_success_beside_it_does_not_hide_why_it_paused(site: DigestSite) -> None:
    await site.subscribe(2)
    pk = await site.begin()
    site.smtp.delay_s = 0.3
    sending = asyncio.create_task(site.round(pk))
    await wait_until(lambda: "DATA" in site.smtp.commands, "the text to be sent")
    await site.change(Digest, state=State.PAUSED, reason="20 mails in a row have failed.", failures=20)
    await sending

    assert (await site.digest(pk)).reason == "20 mails in a row have failed."


@pytest.mark.both_databases("the database is busy or away")
async def test_a_busy_database_delays_and_loses_nothing(site: DigestSite, settings: Settings) -> None:
    await site.subscribe(10)
    pk = await site.begin()
    this = await rounds.next_round(pk)
    impatient = Database(settings.database_url, patience_s=0)
    site.app.extensions["database"] = impatient
    try:
        async with writing_alone(site.database, "delivery"):
            await batch.send_batch(pk, *this.batches[0])
            assert not site.mailed
    finally:
        site.app.extensions["database"] = site.database
        await impatient.close()

    assert await site.steps(pk) == {Step.WAITING: 10}
    assert await rounds.end_round(pk) == rounds.MIN_INTERVAL
    assert await site.round(pk) is None
    assert len(site.mailed) == 10


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_without_its_posts_it_pauses_itself(site: DigestSite) -> None:
    await site.subscribe(3)
    pk = await site.begin()
    await site.change(Post, published_at=None)

    assert await site.round(pk) is None

    digest = await site.digest(pk)
    assert digest.state == State.PAUSED
    assert digest.reason == "All of its posts were taken back: there is nothing to send."
    assert not site.mailed


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_batch_begins_nothing_that_would_outlast_a_stop(
    site: DigestSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LONGEST_S", 0.2)
    await site.subscribe(100)
    pk = await site.begin()
    site.smtp.delay_s = 0.05

    await batch.send_batch(pk, 1, 100)

    assert 4 <= len(site.mailed) <= 40
    assert await site.steps(pk) == {Step.SENT: len(site.mailed), Step.WAITING: 100 - len(site.mailed)}

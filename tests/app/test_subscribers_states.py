"""Who gets the digest: every way a subscriber can go, without pages and mail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.database import Database
from app.mail import DeliveryFailed, Outcome
from app.subscribers import states
from app.subscribers.models import State, Subscriber, is_confirmed

pytestmark = pytest.mark.both_databases("each state is decided by one statement")

EMAIL = "alice@example.org"
DAY = timedelta(days=1)


async def ask(database: Database, email: str = EMAIL) -> Subscriber | None:
    async with database.transaction() as db:
        return await states.ask(db, email)


async def read(database: Database) -> Subscriber:
    async with database.session() as db:
        return (await db.scalars(select(Subscriber).where(Subscriber.email == EMAIL))).one()


async def become(database: Database, state: State, **values: Any) -> Subscriber:
    """The subscriber of EMAIL, as if it had come to this state an hour ago."""
    now = datetime.now(UTC)
    known = {
        "asked_at": now - 2 * DAY,
        "confirmed_at": None if state == State.ASKED else now - DAY,
        "ended_at": now - timedelta(hours=1) if state in (State.UNSUBSCRIBED, State.SUPPRESSED) else None,
    }
    async with database.transaction() as db:
        db.add(Subscriber(email=EMAIL, state=state, **(known | values)))
    return await read(database)


async def confirmed(database: Database) -> list[str]:
    async with database.session() as db:
        return list(await db.scalars(select(Subscriber.email).where(is_confirmed())))


async def test_only_who_has_confirmed_gets_the_digest(database: Database) -> None:
    assert await ask(database)
    assert await confirmed(database) == []

    async with database.transaction() as db:
        states.confirm(db, await db.get_one(Subscriber, 1))
    assert await confirmed(database) == [EMAIL]

    async with database.transaction() as db:
        states.unsubscribe(db, await db.get_one(Subscriber, 1))
    assert await confirmed(database) == []


async def test_an_address_that_does_not_answer_gets_one_mail_in_24_hours(database: Database) -> None:
    """Nobody can fill somebody else's inbox: no more than one confirmation for each address and day."""
    assert await ask(database)
    assert [await ask(database) for _ in range(3)] == [None] * 3

    async with database.transaction() as db:
        await db.execute(update(Subscriber).values(asked_at=datetime.now(UTC) - DAY))

    assert await ask(database)
    assert await ask(database) is None


async def test_of_many_that_ask_at_once_one_gets_the_mail(database: Database) -> None:
    answers = await asyncio.gather(*(ask(database) for _ in range(20)))

    assert sum(answer is not None for answer in answers) == 1


async def test_who_has_unsubscribed_can_subscribe_again_at_once(database: Database) -> None:
    """The last mail was answered, so the next one is wanted. It has to be confirmed again."""
    assert await ask(database)
    async with database.transaction() as db:
        states.confirm(db, await db.get_one(Subscriber, 1))
    async with database.transaction() as db:
        states.unsubscribe(db, await db.get_one(Subscriber, 1))

    assert await ask(database)
    assert await ask(database) is None

    subscriber = await read(database)
    assert (subscriber.state, subscriber.confirmed_at) == (State.ASKED, None)
    assert await confirmed(database) == []


async def test_asking_for_a_confirmed_address_changes_nothing_for_it(database: Database) -> None:
    await become(database, State.CONFIRMED)

    assert await ask(database)
    assert await ask(database) is None

    assert await confirmed(database) == [EMAIL]


async def test_a_suppressed_address_is_not_mailed_however_often_it_is_asked_for(database: Database) -> None:
    await become(database, State.SUPPRESSED)

    assert await ask(database) is None
    assert (await read(database)).state == State.SUPPRESSED


@pytest.mark.parametrize("state", [State.UNSUBSCRIBED, State.SUPPRESSED])
async def test_confirming_late_brings_nobody_back(database: Database, state: State) -> None:
    await become(database, state)

    async with database.transaction() as db:
        states.confirm(db, await db.get_one(Subscriber, 1))

    assert (await read(database)).state == state


def answered(words: str, outcome: Outcome = Outcome.PERMANENT) -> DeliveryFailed:
    return DeliveryFailed(outcome, f"The mail server answered: {words}")


async def test_the_third_mail_that_is_refused_for_good_suppresses_the_address(database: Database) -> None:
    """Refused with 5xx for three mails of one address: the digest skips it from then on, and the owner sees why."""
    await become(database, State.CONFIRMED)

    for refusals in (1, 2):
        async with database.transaction() as db:
            await states.refused(db, 1, answered("554 5.7.1 looks like spam"))
        subscriber = await read(database)
        assert (subscriber.state, subscriber.refusals) == (State.CONFIRMED, refusals)
    async with database.transaction() as db:
        await states.refused(db, 1, answered("552 5.2.2 mailbox full"))

    subscriber = await read(database)
    assert subscriber.state == State.SUPPRESSED
    assert subscriber.reason == "The mail server answered: 552 5.2.2 mailbox full"
    assert subscriber.ended_at
    assert await confirmed(database) == []


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("550 5.1.1 no such user", State.SUPPRESSED),
        ("550 5.1.2 no such domain", State.SUPPRESSED),
        ("556 5.1.10 takes no mail", State.SUPPRESSED),
        ("550 5.2.1 disabled", State.SUPPRESSED),
        ("550 5.1.7 the sender is not known", State.CONFIRMED),
        ("550 5.1.11 no such code", State.CONFIRMED),
        ("550 not 5.1.1", State.CONFIRMED),
        ("550 no", State.CONFIRMED),
    ],
)
async def test_an_address_that_does_not_exist_is_suppressed_at_once(
    database: Database, words: str, state: State
) -> None:
    await become(database, State.CONFIRMED)

    async with database.transaction() as db:
        await states.refused(db, 1, answered(words))

    subscriber = await read(database)
    assert subscriber.state == state
    assert words in subscriber.reason


async def test_a_refusal_does_not_undo_an_unsubscribing(database: Database) -> None:
    await become(database, State.UNSUBSCRIBED)

    async with database.transaction() as db:
        await states.refused(db, 1, answered("550 5.1.1 no such user"))
        await states.suppress(db, 1, "complained")

    subscriber = await read(database)
    assert (subscriber.state, subscriber.reason) == (State.UNSUBSCRIBED, "")


@pytest.mark.parametrize("before", [State.ASKED, State.CONFIRMED])
async def test_a_suppression_is_lifted_back_to_what_was_before(database: Database, before: State) -> None:
    await become(database, before, refusals=2)
    async with database.transaction() as db:
        await states.suppress(db, 1, "No such user. " * 100)
    assert len((await read(database)).reason) == 500

    async with database.transaction() as db:
        states.lift(await db.get_one(Subscriber, 1))

    subscriber = await read(database)
    assert (subscriber.state, subscriber.reason, subscriber.refusals) == (before, "", 0)


async def test_addresses_that_nobody_has_confirmed_are_deleted_and_no_others(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as db:
        for state in State:
            db.add(Subscriber(email=f"old-{state}@example.org", state=state, asked_at=now - 8 * DAY))
        db.add(Subscriber(email="new@example.org", asked_at=now - 6 * DAY))
        db.add(Subscriber(email="never-asked@example.org", created_at=now - 8 * DAY))

    async with database.transaction() as db:
        assert await states.delete_unconfirmed(db, now - 7 * DAY) == 2

    async with database.session() as db:
        left = set(await db.scalars(select(Subscriber.email)))
    assert left == {
        "old-confirmed@example.org",
        "old-unsubscribed@example.org",
        "old-suppressed@example.org",
        "new@example.org",
    }

"""What the owner does with a digest, and what becomes of its mails; who is called when it needs somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.database import Database
from app.digest import recovery, steering, trouble
from app.digest.models import Delivery, Digest, State, Step
from app.digest.steering import Action
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from jobs import Result, connect
from settings import Settings
from tests.app.digests import DigestSite, digest_site
from tests.smtp_server import DROP, DROP_AFTER_DOT

pytestmark = pytest.mark.both_databases("each button is one statement that decides by the rows' states")


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        await here.publish("One")
        yield here


async def do(site: DigestSite, action: Action, pk: int) -> int:
    async with site.database.transaction() as db:
        return await action(db, await db.get_one(Digest, pk))


async def code(site: DigestSite, pk: int) -> str:
    async with site.database.session() as db:
        sentence = await trouble.sentence(db, await db.get_one(Digest, pk))
        return sentence.code if sentence else ""


async def test_pause_and_resume(site: DigestSite) -> None:
    await site.subscribe(10)
    pk = await site.begin()

    assert await do(site, steering.pause, pk) == 10
    assert await site.round(pk) is None
    assert not site.mailed
    assert await code(site, pk) == "", "the owner knows"

    assert await do(site, steering.resume, pk) == 10
    assert await site.round(pk) is None
    assert len(site.mailed) == 10


async def test_resume_does_not_wait_for_the_next_try(site: DigestSite) -> None:
    await site.subscribe(2)
    pk = await site.begin()
    site.smtp.script["rcpt"] = ["451 later"]
    await site.round(pk)
    site.smtp.script["banner"] = DROP
    await site.change(Digest, next_try_at=datetime.now(UTC) + timedelta(minutes=30))

    site.smtp.script.clear()
    assert await do(site, steering.resume, pk) == 1

    assert await site.round(pk) is None
    assert len(site.mailed) == 2


async def test_stop_leaves_the_rest_out_for_good(site: DigestSite) -> None:
    await site.subscribe(4)
    pk = await site.begin()
    await site.change(Delivery, Delivery.id == 1, step=Step.SENT)

    assert await do(site, steering.stop, pk) == 3
    assert await do(site, steering.stop, pk) == 0
    assert await do(site, steering.resume, pk) == 0

    await site.round(pk)
    assert not site.mailed
    assert await site.steps(pk) == {Step.SENT: 1, Step.LEFT: 3}
    assert (await site.digest(pk)).state == State.STOPPED


async def test_retry_failed_tries_those_who_still_want_it(site: DigestSite) -> None:
    people = await site.subscribe(3)
    pk = await site.begin()
    site.smtp.script["dot"] = ["554 no"] * 3
    await site.round(pk)
    await site.change(Subscriber, Subscriber.id == people[0].id, state=subscribers.State.UNSUBSCRIBED)

    assert await do(site, steering.retry_failed, pk) == 2
    assert await site.round(pk) is None

    assert site.mailed == {people[1].email: 1, people[2].email: 1}
    assert await site.steps(pk) == {Step.SENT: 2, Step.FAILED: 1}
    assert (await site.digest(pk)).state == State.DONE
    assert await do(site, steering.retry_failed, pk) == 0


async def test_uncertain_ones_are_marked_or_sent_again_under_the_same_message_id(site: DigestSite) -> None:
    await site.subscribe(2)
    pk = await site.begin()
    site.smtp.script["dot"] = [DROP_AFTER_DOT, DROP_AFTER_DOT]
    await site.round(pk)
    assert await site.steps(pk) == {Step.UNCERTAIN: 2}

    await site.change(Delivery, Delivery.id == 2, step=Step.SENT)
    assert await do(site, steering.send_again, pk) == 1
    assert await site.round(pk) is None

    ids = [mail.message_id for mail in site.smtp.accepted]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    assert await site.steps(pk) == {Step.SENT: 2}

    await site.change(Delivery, step=Step.UNCERTAIN)
    assert await do(site, steering.mark_sent, pk) == 2
    await site.round(pk)
    assert len(site.smtp.accepted) == 3


async def test_what_needs_the_owner_is_said(site: DigestSite) -> None:
    await site.subscribe(2)
    pk = await site.begin()
    assert await code(site, pk) == ""

    await site.change(Digest, began_at=datetime.now(UTC) - timedelta(minutes=31), reason="No connection.")
    for state in (State.PLANNED, State.SENDING):
        await site.change(Digest, state=state)
        assert await code(site, pk) == "slow"
    await site.change(Digest, state=State.PAUSED, reason="The mail server answered: 535 no")
    assert await code(site, pk) == "paused"
    await site.change(Digest, state=State.DONE, reason="")
    await site.change(Delivery, Delivery.id == 1, step=Step.UNCERTAIN)
    assert await code(site, pk) == "uncertain"
    await site.change(Delivery, Delivery.id == 1, step=Step.FAILED)
    assert await code(site, pk) == "failed"
    await site.change(Subscriber, Subscriber.id == 1, state=subscribers.State.SUPPRESSED)
    assert await code(site, pk) == "", "it is suppressed: nothing is left to do"


async def test_what_is_left_over_is_said_for_a_month(site: DigestSite) -> None:
    await site.subscribe()
    pk = await site.begin()
    site.smtp.script["dot"] = ["554 no"]
    await site.round(pk)

    async def said() -> list[int]:
        async with site.database.session() as db:
            return [each.digest.id for each in await trouble.all_of(db)]

    assert await said() == [pk]
    await site.change(Digest, ended_at=datetime.now(UTC) - timedelta(days=31))
    assert await said() == []


async def test_the_owner_is_mailed_once_when_mail_can_be_sent(site: DigestSite) -> None:
    await site.subscribe()
    pk = await site.begin()
    await site.change(Digest, state=State.PAUSED, reason="The mail server answered: 535 wrong password")

    await trouble.tell_owner(pk)
    await trouble.tell_owner(pk)

    [mail] = site.smtp.accepted
    assert mail.recipients == ["owner@localhost"]
    assert mail.message["Subject"] == "The weekly digest needs your attention"
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert "535 wrong password" in text.get_content()
    assert f"/digest/{pk}\n" in text.get_content()


async def test_a_sweep_starts_what_nobody_sends_and_calls_the_owner(site: DigestSite, settings: Settings) -> None:
    await site.subscribe()
    pk = await site.begin()
    async with connect(settings.redis_url):
        assert await Result(f"digest:{pk}").state() == "UNKNOWN"
        await recovery.sweep()
        await recovery.sweep()
        assert await Result(f"digest:{pk}").state() == "PENDING"

        await site.change(Digest, state=State.PAUSED, reason="Something.")
        occasion = int((await site.digest(pk)).began_at.timestamp())
        await recovery.sweep()
        assert await Result(f"digest-trouble:{pk}:{occasion}").state() == "PENDING"


async def test_a_sweep_goes_on_once_the_mail_server_is_back(site: DigestSite, settings: Settings) -> None:
    await site.subscribe()
    pk = await site.begin()
    later = datetime.now(UTC) + timedelta(minutes=30)
    await site.change(Digest, unreachable_since=datetime.now(UTC), next_try_at=later, reason="No connection.")
    async with connect(settings.redis_url):
        site.smtp.script["banner"] = DROP
        await recovery.sweep()
        assert (await site.digest(pk)).next_try_at == later

        site.smtp.script.clear()
        await recovery.sweep()

    digest = await site.digest(pk)
    assert digest.next_try_at <= datetime.now(UTC)
    assert (digest.unreachable_since, digest.reason) == (None, "")

"""m4-, r21- and m1-digest: a digest whose workers are killed, and whose mail server dies."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from app import create_app
from app.blog import Post
from app.context import close
from app.digest import choosing, steering
from app.digest.batch import AT_ONCE, CONNECTIONS
from app.digest.models import Delivery, Digest, State, Step
from app.digest.tasks import start
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from tests.chaos.fleet import Fleet
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.site import Site, site
from tests.waiting import wait_until

MAY_BE_UNCERTAIN = AT_ONCE * CONNECTIONS  # mails that are under way at one moment


@dataclass
class Sending:
    """A digest on its way to so many readers."""

    here: Site
    fleet: Fleet
    pk: int
    count: int

    async def steer(self, action: steering.Action) -> int:
        """Press one of the owner's buttons."""
        async with self.here.database.transaction() as db:
            touched = await action(db, await db.get_one(Digest, self.pk))
        await start(self.pk)
        return touched

    async def steps(self) -> dict[str, str]:
        """Each reader's address, and what became of its mail."""
        query = select(Subscriber.email, Delivery.step).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        async with self.here.database.session() as db:
            return {email: step for email, step in await db.execute(query)}

    async def digest(self) -> Digest:
        async with self.here.database.session() as db:
            return await db.get_one(Digest, self.pk)

    async def until_done(self, timeout_s: float) -> None:
        async def done() -> bool:
            return (await self.digest()).state == State.DONE

        await wait_until(done, "the digest to be done", timeout_s=timeout_s)

    async def until_share(self, share: float) -> None:
        await wait_until(
            lambda: len(self.here.smtp.accepted) >= self.count * share, f"{share:.0%} of the mails", timeout_s=120
        )

    @property
    def mailed(self) -> Counter[str]:
        return Counter(mail.recipients[0] for mail in self.here.smtp.accepted)


@scenario("r21-digest", "the worker is stopped at 20 % of a digest, and the next one killed at 40 %")
async def killed_at_40_percent(stage: Stage) -> None:
    async with sending(stage, stage.size(10_000, 300)) as digest:
        [worker] = digest.fleet.start()
        await digest.until_share(0.2)
        worker.send(signal.SIGTERM)
        await wait_until(lambda: not worker.alive, "the worker to stop", timeout_s=60)
        doubtful = [step for step in (await digest.steps()).values() if step in (Step.SENDING, Step.UNCERTAIN)]
        stage.check("a worker that is stopped breaks no mail off", len(doubtful), not doubtful)
        [worker] = digest.fleet.start()
        await digest.until_share(0.4)
        worker.kill9()
        digest.fleet.start()
        await digest.until_done(stage.size(300, 150))
        await check_ledger(stage, digest, kills=1)


@scenario("m4-digest", "whoever sends a digest is killed at random, again and again")
async def killed_at_random(stage: Stage) -> None:
    """Two workers, one of them killed each second or so; at the end the owner sends again what is uncertain."""
    kills = stage.size(200, 3)
    async with sending(stage, stage.size(10_000, 300), rate=stage.size(60, 20)) as digest:
        digest.fleet.start(2)
        await digest.until_share(0.01)
        for _ in range(kills):
            if (await digest.digest()).state == State.DONE:
                break
            mails = len(digest.here.smtp.accepted) + stage.rng.randrange(1, stage.size(60, 30))
            await wait_until(
                lambda mails=mails: len(digest.here.smtp.accepted) >= min(mails, digest.count - MAY_BE_UNCERTAIN),
                "some more mails",
                timeout_s=120,
            )
            digest.fleet.kill_one(stage.rng, digest.fleet.living)
            digest.fleet.start()
        await digest.until_done(stage.size(1_200, 150))
        killed = len(digest.fleet.killed)
        stage.check("workers that were killed, for the record", killed, killed > 0)
        await check_ledger(stage, digest, kills=killed)
        again = await digest.steer(steering.send_again)
        if again:
            await digest.until_done(120)
        ids: dict[str, set[str]] = {}
        for mail in digest.here.smtp.accepted:
            ids.setdefault(mail.recipients[0], set()).add(mail.message_id)
        twice = sum(times - 1 for times in digest.mailed.values())
        away = seconds_from_a_kill(digest)
    stage.check("sent again by the owner: lost 0", digest.count - len(ids), len(ids) == digest.count)
    stage.check("twice only what was uncertain", f"{twice} of {again}", twice <= again)
    stage.check("... and taken <= 0.5 s from a kill", f"{away:.2f} s at most", away <= 0.5)
    stage.check(
        "all mails to one reader share a Message-ID",
        max(len(found) for found in ids.values()),
        all(len(found) == 1 for found in ids.values()),
    )


def seconds_from_a_kill(digest: Sending) -> float:
    """Of those mails that were sent twice, how far the first was taken from the nearest kill: the window between the
    text and its record.
    """
    began = time.time() - time.monotonic()
    kills = [began + worker.killed_at for worker in digest.fleet.killed if worker.killed_at is not None]
    first: dict[str, float] = {}
    for mail in digest.here.smtp.accepted:
        first.setdefault(mail.recipients[0], mail.at)
    twice = [reader for reader, times in digest.mailed.items() if times > 1]
    return max((min(abs(first[reader] - at) for at in kills) for reader in twice), default=0.0)


@scenario("m1-digest", "the mail server dies at 40 % of a digest, and the owner presses Resume")
async def mail_server_dies(stage: Stage) -> None:
    async with sending(stage, stage.size(10_000, 300)) as digest:
        digest.fleet.start()
        await digest.until_share(0.4)
        await digest.here.smtp.stop()

        async def waits() -> bool:
            return (await digest.digest()).unreachable_since is not None

        await wait_until(waits, "the digest to find nobody", timeout_s=60)

        held = await stage.slots_held()
        stage.check("no worker slot is held while it waits", held, not held)
        await digest.here.smtp.start()
        await digest.steer(steering.resume)
        await digest.until_done(stage.size(300, 60))
        await check_ledger(stage, digest, kills=1)


async def check_ledger(stage: Stage, digest: Sending, kills: int) -> None:
    """SQL and the mail server agree on every single mail, but for those that SQL calls uncertain."""
    steps, mailed = await digest.steps(), digest.mailed
    by_step = Counter(steps.values())
    uncertain = by_step[Step.UNCERTAIN]
    wrong = [email for email, step in steps.items() if step == Step.SENT and mailed[email] != 1]
    lost = [email for email in mailed if steps[email] not in (Step.SENT, Step.UNCERTAIN)]
    most = max(mailed.values())
    stage.check("every mail is sent or uncertain", dict(by_step), by_step[Step.SENT] + uncertain == digest.count)
    stage.check("sent is what the server took, once each", len(wrong) + len(lost), not wrong and not lost)
    stage.check("none twice without the owner", most, most == 1)
    stage.check(f"uncertain <= {MAY_BE_UNCERTAIN} a death", uncertain, uncertain <= kills * MAY_BE_UNCERTAIN)


@asynccontextmanager
async def sending(stage: Stage, count: int, rate: int = 10_000) -> AsyncIterator[Sending]:
    """A digest that is to be sent to so many; its job waits for the first worker."""
    async with site(stage.url, digest_rate=stage.size(rate, min(rate, 100))) as here:
        async with here.database.session() as db:
            db.add(Post(title="One", text="Words " * 100, published_at=datetime.now(UTC)))
            confirmed = subscribers.State.CONFIRMED
            db.add_all(Subscriber(email=f"reader{n}@example.org", state=confirmed) for n in range(count))
            await db.commit()
        app = create_app(here.settings)
        async with app.app_context():
            pk = await choosing.begin("chaos")
        await close(app)
        assert pk is not None
        await start(pk)
        fleet = Fleet(stage.folder, here.environment, "worker.WorkerSettings")
        try:
            yield Sending(here, fleet, pk, count)
        finally:
            fleet.close()

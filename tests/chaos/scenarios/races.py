"""m5: people change their minds on a page at the very moment at which a worker sends the mail."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import func, select

from app.accounts import Account
from app.digest.models import Step
from app.reminders.consents.links import stop_url
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import OPEN, Reminder, State
from app.subscribers.links import unsubscribe_url
from app.subscribers.models import Subscriber
from tests.chaos.scenarios import scenario
from tests.chaos.scenarios.digest import Sending, sending
from tests.chaos.stage import Stage
from tests.site import TOKEN, Site, site
from tests.waiting import wait_until

PER_SECOND = 15  # reminders due, and pages that do something about them
NAME = re.compile(r"<reminder\.(\d+)\.(\d+)\.")  # id and revision


@scenario("m5-reminders", "1,000 reminders are cancelled, moved or declined while they are sent")
async def reminders_change(stage: Stage) -> None:
    count = stage.size(1_000, 90)
    async with site(stage.url) as here:
        with here.process("app.serve"), here.process("arq", "worker.WorkerSettings"):
            async with here.browser() as browser:
                found = TOKEN.search((await browser.get("/reminders/new")).text)
                assert found is not None
                token = {"csrf_token": found[1]}
                rows = await add(here, count)
                posts = []
                for n, (reminder, consent) in enumerate(rows):
                    at = reminder.date.timestamp() + stage.rng.uniform(-0.1, 0.2)
                    page = f"/reminders/{reminder.id}"
                    if consent is not None:
                        posts.append(post(browser, at, stop_url(consent, here.settings)))
                    elif n % 3:
                        posts.append(post(browser, at, f"{page}/cancel", **token))
                    else:
                        words = {"text": reminder.text, "in": "10s"}
                        posts.append(post(browser, at, f"{page}/edit", **token, **words))
                answers = Counter(await asyncio.gather(*posts))
                await wait_until(lambda: none_open(here), "all to be settled", timeout_s=120)
        await check_reminders(stage, here)
    stage.check("each page has answered", dict(answers), not set(answers) - {200, 303})


@scenario("m5-digest", "1,000 of a digest's 2,000 readers unsubscribe while it is sent")
async def readers_leave(stage: Stage) -> None:
    """One leaves when a mail to a neighbour has gone out: a moment before its turn, or a moment after."""
    async with sending(stage, stage.size(2_000, 120), rate=60) as digest:
        with digest.here.process("app.serve"):
            async with digest.here.browser() as browser:
                urls = await unsubscribe_urls(digest)
                digest.fleet.start()
                left_at = await leave(stage, digest, browser, urls)
        await digest.until_done(120)
        steps, mails = await digest.steps(), digest.here.smtp.accepted
    left = [email for email, step in steps.items() if step == Step.LEFT]
    by_step = Counter(steps.values())
    wrong = [email for email, step in steps.items() if digest.mailed[email] != (step == Step.SENT)]
    late = [mail for mail in mails if mail.at - left_at.get(mail.recipients[0], mail.at) > 1]
    stage.check("who left in time gets none, the others one", f"{len(wrong)} wrong of {dict(by_step)}", not wrong)
    stage.check("none that was begun after the page's answer", len(late), not late)
    stage.check("some left in time, some did not", f"{len(left)} of {len(left_at)}", 0 < len(left) < len(left_at))


async def add(here: Site, count: int) -> list[tuple[Reminder, Consent | None]]:
    """Reminders of the account that has signed in, due one after the other; each third to somebody who has agreed."""
    rows: list[tuple[Reminder, Consent | None]] = []
    first = datetime.now(UTC) + timedelta(seconds=8)
    async with here.database.session() as db:
        account = (await db.scalars(select(Account))).one()
        for n in range(count):
            date, to = first + timedelta(seconds=n / PER_SECOND), account.email
            consent = None
            if n % 3 == 1:
                to = f"bob{n}@example.org"
                consent = Consent(account_id=account.id, email=to, answer=Answer.AGREED)
                db.add(consent)
            reminder = Reminder(date=date, email=to, text=f"number {n}.", account_id=account.id)
            db.add(reminder)
            rows.append((reminder, consent))
        await db.commit()
    return rows


async def post(browser: httpx.AsyncClient, at: float, url: str, **form: str) -> int:
    await asyncio.sleep(at - time.time())
    return (await browser.post(url, data=form)).status_code


async def none_open(here: Site) -> bool:
    async with here.database.session() as db:
        return not await db.scalar(select(func.count()).where(Reminder.state.in_(OPEN)))


async def check_reminders(stage: Stage, here: Site) -> None:
    """SQL says what a page has promised; the mail server, what has left."""
    async with here.database.session() as db:
        reminders = (await db.scalars(select(Reminder))).all()
    mailed: dict[int, list[tuple[int, float]]] = {reminder.id: [] for reminder in reminders}
    for mail in here.smtp.accepted:
        if found := NAME.match(mail.message_id):
            mailed[int(found[1])].append((int(found[2]), mail.at))
    stopped = [one for one in reminders if one.state in (State.CANCELLED, State.DECLINED)]
    moved = [one for one in reminders if one.revision]
    others = [one for one in reminders if one.state == State.SENT]
    after = sum(len(mailed[one.id]) for one in stopped)
    wrong = [one for one in others if [revision for revision, _ in mailed[one.id]] != [one.revision]]
    early = [one for one in others if any(at < one.date.timestamp() for _, at in mailed[one.id])]
    too_late = len(others) - len(moved)
    stage.check("no mail of what was cancelled or declined", f"{after} of {len(stopped)}", not after)
    stage.check("what was moved: only at its new time", f"{len(wrong) + len(early)} wrong of {len(moved)}",
                not wrong and not early)  # fmt: skip
    all_settled = len(stopped) + len(others) == len(reminders)
    stage.check("some came in time, some too late", f"{too_late} of {len(reminders)} too late",
                all_settled and 0 < too_late < len(reminders))  # fmt: skip


async def unsubscribe_urls(digest: Sending) -> list[tuple[str, str]]:
    """Each reader's address and link, in the order of their mails."""
    async with digest.here.database.session() as db:
        readers = (await db.scalars(select(Subscriber).order_by(Subscriber.id))).all()
    return [(reader.email, unsubscribe_url(reader, digest.here.settings)) for reader in readers]


async def leave(
    stage: Stage, digest: Sending, browser: httpx.AsyncClient, urls: list[tuple[str, str]]
) -> dict[str, float]:
    """Every second reader leaves; when each had its answer."""
    left_at: dict[str, float] = {}
    places = {email: n for n, (email, _) in enumerate(urls)}
    leavers: dict[int, list[int]] = {}  # by the neighbour who stays, and whose mail they wait for
    for n in range(1, len(urls), 2):
        leavers.setdefault(max(n - 1 - 2 * stage.rng.randrange(4), 0), []).append(n)

    async def unsubscribe(n: int) -> None:
        email, url = urls[n]
        await asyncio.sleep(stage.rng.uniform(0, 0.2))
        answer = await browser.post(url, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        left_at[email] = time.time()

    leaving: list[asyncio.Task[None]] = []
    mails, seen = digest.here.smtp.accepted, 0
    while leavers:
        await wait_until(lambda seen=seen: len(mails) > seen, "the next mail", timeout_s=30)
        sent, seen = mails[seen:], len(mails)
        now = [n for mail in sent for n in leavers.pop(places[mail.recipients[0]], [])]
        leaving += [asyncio.create_task(unsubscribe(n)) for n in now]
    await asyncio.gather(*leaving)
    return left_at

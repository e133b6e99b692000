"""An order that asks by email: each answer and none, a worker that is killed meanwhile, and who may not answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from quart import Quart
from sqlalchemy import select

from app import create_app
from app.accounts import Account
from app.playground.orders import records
from app.playground.orders.links import answer_url
from app.playground.orders.pages import LONGEST_NOTE
from app.playground.orders.tasks import CODE, order
from app.web.link_rates import AN_HOUR
from jobs import Result
from jobs.testing import Clock, Workers
from settings import Settings
from tests.app.killing import start_worker
from tests.app.visitor import Visitor, words
from tests.app.working import site_of
from tests.smtp_server import SmtpServer, mailing
from tests.waiting import wait_until

PAGE = "/playground/order"
DONE = ["done"] * 3
NOTE = "<b>not</b> this\n‏one"


async def alice_at(app: Quart) -> Visitor:
    alice = Visitor(app)
    await alice.sign_in()
    return alice


async def account_of(app: Quart) -> Account:
    async with app.extensions["database"].session() as db:
        account: Account = await db.scalar(select(Account).where(Account.email == "alice@example.org"))
    return account


async def asked(alice: Visitor, smtp: SmtpServer, mails: int) -> str:
    """Start an order; the path of the link in its mail, once it waits for the answer."""
    assert (await alice.post(PAGE)).status_code == 303

    async def waits() -> bool:
        await alice.get(PAGE)
        return alice.marks.states[0] == "waiting"

    await wait_until(waits, "the order to wait", timeout_s=20)
    assert len(smtp.accepted) == mails
    message = smtp.accepted[-1].message
    assert message["To"] == "alice@example.org"
    links = set[str]()
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        links |= set(re.findall(r"http://[^\s\"<]+/playground/[^\s\"<]+", body.get_content()))
    [link] = links
    return urlsplit(link).path


async def test_an_order_ends_by_its_answer_or_without_one(
    settings: Settings, smtp: SmtpServer, jobs_worker: Workers, jobs_clock: Clock
) -> None:
    async with site_of(jobs_worker, mailing(settings, smtp), cron_jobs=[]) as app:
        alice, anybody = await alice_at(app), Visitor(app)

        link = await asked(alice, smtp, 1)
        assert alice.marks.states[1:] == [*DONE, "waiting"]
        assert "/monitor/job" not in alice.text
        await alice.post(PAGE)
        assert (await alice.get(PAGE)).status_code == 200
        assert alice.marks.notices == ["open-order"]
        for _ in range(2):
            assert (await anybody.get(link)).status_code == 200
            assert anybody.marks.states == ["asks"]
        await anybody.post(link, answer="approve", note=NOTE)
        assert anybody.marks.states == ["approved"]
        await anybody.post(link, answer="reject", note="too late")
        assert (anybody.marks.states, "too late" in anybody.text) == (["approved"], False)
        assert "&lt;b&gt;not&lt;/b&gt;" in anybody.text
        await alice.get(PAGE)
        assert alice.marks.states == ["sent", *DONE, "done"]

        rejected = await asked(alice, smtp, 2)
        assert (await anybody.get(link)).status_code == 410
        await anybody.post(rejected, answer="reject", note="x" * (LONGEST_NOTE + 1))
        assert anybody.marks.states == ["rejected"]
        assert "x" * LONGEST_NOTE + "<" in anybody.text
        await alice.get(PAGE)
        assert alice.marks.states == ["rejected", *DONE, "done", "done"]

        unanswered = await asked(alice, smtp, 3)
        await jobs_clock.advance(days=7, minutes=1)
        await anybody.post(unanswered, answer="approve")
        assert anybody.marks.states == ["unanswered"]
        await alice.get(PAGE)
        assert alice.marks.states == ["unanswered", *DONE, "timed-out", "done"]


async def test_a_mail_that_is_refused_is_a_refund(
    settings: Settings, smtp: SmtpServer, jobs_worker: Workers, jobs_clock: Clock
) -> None:
    smtp.script["rcpt"] = ["451 later", "550 no"]
    async with site_of(jobs_worker, mailing(settings, smtp), cron_jobs=[]) as app:
        alice = await alice_at(app)
        await alice.post(PAGE)
        await jobs_clock.advance(minutes=1)
        await alice.get(PAGE)

    assert alice.marks.states == ["unasked", *DONE, "todo", "done"]


@pytest.mark.timeout(90)
async def test_an_order_goes_on_after_its_worker_was_killed(settings: Settings, smtp: SmtpServer) -> None:
    app = create_app(mailing(settings, smtp))
    async with app.test_app():
        alice, anybody = await alice_at(app), Visitor(app)
        first = start_worker(settings, smtp.port)
        try:
            link = await asked(alice, smtp, 1)
        finally:
            first.kill()
            first.wait()
        await anybody.post(link, answer="approve")
        assert anybody.marks.states == ["approved"]
        assert "as soon as a worker takes it" in words(anybody)
        again = [await anybody.client.post(link, form={"answer": "reject"}) for _ in range(AN_HOUR)]
        assert [answer.status_code for answer in again] == [200] * (AN_HOUR - 1) + [429]
        await anybody.get(link)
        assert anybody.marks.states == ["approved"]

        second = start_worker(settings, smtp.port)
        try:
            assert await Result(records.job_id(await account_of(app))).get(timeout=30) == "sent"
        finally:
            second.kill()
            second.wait()
    assert len(smtp.accepted) == 1


async def test_who_may_not_answer_changes_nothing(app: Quart, alice: Visitor, charlie: Visitor) -> None:
    account, number = await account_of(app), 12_345_678
    await order.apply_async((account.id, number), task_id=records.job_id(account))
    link = urlsplit(answer_url(account, number, alice.settings)).path
    token = link.rpartition("/")[2]
    refused = {
        f"{PAGE}/{account.id}/{number}/{token[:-1]}": 404,
        f"{PAGE}/{account.id}/{number}/ü": 404,
        f"{PAGE}/{account.id}/{number + 1}/{token}": 404,
        f"{PAGE}/{account.id + 1}/{number}/{token}": 404,
        f"{PAGE}/999/{number}/{token}": 404,
        urlsplit(answer_url(account, number + 1, alice.settings)).path: 410,
    }
    for path, status in refused.items():
        for method in ("GET", "POST"):
            form = {"answer": "approve"} if method == "POST" else None
            assert (await charlie.client.open(path, method=method, form=form)).status_code == status, path
    for form in ({}, {"answer": "perhaps"}):
        assert (await charlie.client.post(link, form=form)).status_code == 400
    assert (await charlie.client.get(f"{link}?answer=approve")).status_code == 200
    assert (await charlie.client.post(PAGE)).status_code == 403, "no CSRF token"
    await charlie.get(PAGE)
    assert (charlie.marks.states, str(number) in charlie.text) == (["no-order"], False)
    await alice.get(PAGE)
    assert alice.marks.states == ["running", *["todo"] * 4]

    await charlie.post(link, answer="approve")
    assert charlie.marks.states == ["running"], "nobody was asked yet"


async def test_the_page_shows_the_task_and_the_account_takes_its_order_with_it(
    app: Quart, alice: Visitor, owner: Visitor
) -> None:
    await owner.post(PAGE)
    await owner.get(PAGE)
    assert "/monitor/job?id=order" in owner.text
    account = await account_of(app)
    await alice.post(PAGE)
    await alice.get(PAGE)
    assert CODE.splitlines()[0] in words(alice)
    link = urlsplit(answer_url(account, 1, alice.settings)).path

    await alice.post("/account/delete", page="/account/data", email="alice@example.org")

    assert await Result(records.job_id(account)).state() == "UNKNOWN"
    assert (await alice.get(link)).status_code == 404

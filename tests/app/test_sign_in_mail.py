"""The sign-in mail on its way: page, Redis, a real worker, SMTP; and what the mail says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from sqlalchemy import update

from app import create_app
from app.accounts import mails
from app.accounts.models import SignInLink
from app.accounts.tasks import send_sign_in_link
from app.context import close, task_context
from jobs import monitor
from jobs.monitor_site.web import moments
from jobs.testing import Clock, Workers
from settings import Settings
from tests.app.visitor import Visitor
from tests.app.working import site_of, working
from tests.smtp_server import SmtpServer, mailing
from tests.waiting import wait_until


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    return mailing(settings, smtp, base_url="https://site.example", smtp_from="Quarq <site@site.example>")


async def ask(app: Quart, email: str = "alice@example.org", headers: dict[str, str] | None = None) -> Visitor:
    visitor = Visitor(app)
    visitor.client = app.test_client(use_cookies=True)
    await visitor.get("https://site.example/sign-in")
    response = await visitor.client.post(
        "https://site.example/sign-in", form={"csrf_token": visitor.token(), "email": email}, headers=headers
    )
    assert response.status_code == 200
    return visitor


async def test_the_mail_comes_and_its_link_signs_in(app: Quart, settings: Settings, smtp: SmtpServer) -> None:
    visitor = await ask(app)

    async with working(settings):
        [mail] = await wait_until(lambda: smtp.accepted, "the mail")
        assert mail.recipients == ["alice@example.org"]
        assert mail.message["From"] == "Quarq <site@site.example>"
        body = mail.message.get_body(("plain",))
        assert body is not None
        [link] = re.findall(r"https://site\.example/sign-in/\S+", body.get_content())
        path = urlsplit(link).path
        await visitor.get(f"https://site.example{path}")
        response = await visitor.client.post(f"https://site.example{path}", form={"csrf_token": visitor.token()})
        assert response.status_code == 303


async def test_both_parts_bring_the_link_and_every_try_is_the_same_mail(
    app: Quart, settings: Settings, smtp: SmtpServer
) -> None:
    await ask(app, "alice@bücher.example")
    tasks = create_app(settings)
    async with task_context(tasks)(None):
        await mails.sign_in_link(1)
        await mails.sign_in_link(1)
    await close(tasks)

    first, second = smtp.accepted
    assert first.recipients == ["alice@xn--bcher-kva.example"]
    assert first.message_id == second.message_id
    assert first.message_id.endswith("@site.example>")
    links = set()
    for part in ("plain", "html"):
        body = first.message.get_body((part,))
        assert body is not None
        links.update(re.findall(r"https://site\.example/sign-in/[\w-]+", body.get_content()))
    assert len(links) == 1


USER_AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox on Linux",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537 (KHTML, like Gecko) Chrome/130.0 Safari/537 Edg/130":
    "Edge on Windows",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36":
    "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/17 Safari/604":
    "Safari on iPhone",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1 (KHTML, like Gecko) Version/18 Safari/605":
    "Safari on macOS",
    "curl/8.5.0": "",
    "Call +1 555 0100, <a href=https://evil.example>Chrome/</a>": "Chrome",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize(("user_agent", "browser"), USER_AGENTS.items())
async def test_it_says_when_for_whom_and_with_what_it_was_requested(
    app: Quart, settings: Settings, smtp: SmtpServer, user_agent: str, browser: str
) -> None:
    """Of what the browser sends, only names of our own list."""
    before = datetime.now(UTC).replace(microsecond=0)
    await ask(app, "alice@bücher.example", {"User-Agent": user_agent})
    tasks = create_app(settings)
    async with task_context(tasks)(None):
        await mails.sign_in_link(1)
    await close(tasks)

    body = smtp.accepted[0].message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Sign in to Quarq as alice@bücher.example:" in text
    found = re.search(r"It was requested on (.+) \(UTC\)(?:, with (.+))?\. Did you not", text)
    assert found is not None
    asked = {moments.spelled(before + timedelta(seconds=n), ZoneInfo("UTC")) for n in range(30)}
    assert f"{found[1]} (UTC)" in asked
    assert (found[2] or "") == browser
    assert "evil" not in text


async def test_no_mail_is_sent_for_a_link_that_is_used_or_over(
    app: Quart, settings: Settings, smtp: SmtpServer
) -> None:
    now = datetime.now(UTC)
    for link_id, values in enumerate(({"used_at": now}, {"expires_at": now}), start=1):
        await ask(app, f"{link_id}@example.org")
        async with app.extensions["database"].session() as db:
            await db.execute(update(SignInLink).where(SignInLink.id == link_id).values(**values))
            await db.commit()

    tasks = create_app(settings)
    async with task_context(tasks)(None):
        await mails.sign_in_link(1)
        await mails.sign_in_link(2)
        await mails.sign_in_link(99)
    await close(tasks)

    assert smtp.connections == 0


@pytest.mark.parametrize(
    ("reply", "state", "mails"), [("550 no such user", "FAILURE", 0), (["450 later", "450 later", None], "SUCCESS", 1)]
)
async def test_a_refused_mail_is_tried_again_unless_it_was_refused_for_good(
    settings: Settings, smtp: SmtpServer, jobs_worker: Workers, jobs_clock: Clock, reply: Any, state: str, mails: int
) -> None:
    smtp.script["rcpt"] = reply
    async with site_of(jobs_worker, settings) as app:
        await ask(app)
        await jobs_clock.advance(minutes=1)

        [job] = (await monitor.find(app.extensions["redis"], task=send_sign_in_link.name)).rows
    assert job.state == state
    assert len(smtp.accepted) == mails

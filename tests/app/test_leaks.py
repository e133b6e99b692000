"""What logs, Redis and metrics never hold, when everything goes wrong that can: the mail server refuses all it is given
and repeats it, and a page fails. The test of a visit in a browser has what goes right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from quart import Quart

from app.accounts import public
from app.blog import Post
from app.subscribers.models import State, Subscriber
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer
from tests.site import TOKEN, Site, site
from tests.waiting import wait_until

PEOPLE = ("alice@example.org", "bob@example.org", "reader@example.org", "new@example.org", "o'brien@example.org")
REFUSAL = f"550 5.1.1 no such user: {' '.join(f'<{person}>' for person in PEOPLE)}"
TEXT = "water the plants"
METRICS_TOKEN = "only for this test"
TASKS = (
    *("accounts.send_sign_in_link", "subscribers.send_confirmation", "reminders.remind", "reminders.ask_for_consent"),
    "digest.send_batch",
)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that writes down every command."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


async def send(browser: httpx.AsyncClient, path: str, page: str = "", **form: str) -> httpx.Response:
    found = TOKEN.search((await browser.get(page or path)).text)
    token = {"csrf_token": found[1]} if found else {}  # the form to subscribe has none
    answer = await browser.post(path, data=token | form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code in (200, 303), answer.text
    return answer


async def visit(here: Site) -> None:
    """Everything that sends a mail."""
    async with here.database.session() as db:
        db.add(Subscriber(email="reader@example.org", state=State.CONFIRMED))
        db.add(Post(title="News", text="Words", published_at=datetime.now(UTC)))
        await db.commit()
    async with here.browser("alice@example.org") as alice:
        await send(alice, "/subscribe", email="new@example.org")
        await send(alice, "/reminders/new", text=TEXT, **{"in": "10s"})
        await send(alice, "/reminders/new", text=TEXT, to="bob@example.org", **{"in": "1h"})
    async with httpx.AsyncClient(base_url=here.settings.base_url) as stranger:
        await send(stranger, "/sign-in", email="new@example.org")
    async with here.browser(here.settings.owner_email) as owner:
        await send(owner, "/digest/run", typed="1")
        await send(owner, "/digest/1/now", page="/digest/1")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stage", ["rcpt", "dot"])
async def test_a_mail_server_that_repeats_what_it_refuses(own_redis: RedisServer, tmp_path: Path, stage: str) -> None:
    options = {"log_level": "DEBUG", "metrics_token": METRICS_TOKEN}
    async with site(own_redis.url, **options) as here:
        here.smtp.script[stage] = REFUSAL
        with here.process("app.serve"), here.process("arq", "worker.WorkerSettings"):
            await visit(here)
            log = here.settings.data_dir / "log"

            def ended() -> bool:
                return all(f":{task}" in log.read_text() for task in TASKS)

            await wait_until(ended, "a try of every mail", timeout_s=60)
            async with httpx.AsyncClient(base_url=here.settings.base_url) as prometheus:
                bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
                measured = (await prometheus.get("/metrics", headers=bearer)).text
        logged = log.read_text()
    own_redis.stop()
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*.aof"))

    assert b"no such user" in stored or "no such user" in logged
    for secret in (*PEOPLE, "brien@", TEXT):
        assert secret not in logged
        assert secret.encode() not in stored
        assert secret not in measured


async def test_a_page_that_fails_tells_no_token_of_its_address(
    app: Quart, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken/<token>")
    @public
    async def broken(token: str) -> str:
        raise ValueError("a fault")

    app.config["PROPAGATE_EXCEPTIONS"] = False

    assert (await visitor.get("/broken/a-mailed-link?email=alice@example.org")).status_code == 500
    assert "ValueError: a fault" in caplog.text
    assert "GET /broken/<token>" in caplog.text
    assert "a-mailed-link" not in caplog.text
    assert "alice@" not in caplog.text

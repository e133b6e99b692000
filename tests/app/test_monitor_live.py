"""Live pages: one look for all who watch, none when nobody does, and streams that end when they should."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import event

from app import create_app
from app.playground.tasks import log
from jobs import monitor
from jobs.monitor_site import live
from settings import Settings
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer
from tests.site import site
from tests.waiting import wait_until

STREAM = {"Accept": "text/event-stream"}


@asynccontextmanager
async def watching(visitor: Visitor, path: str = "/monitor/queues") -> AsyncIterator[Any]:
    """A browser that watches this page, until the block ends."""
    cookie = "; ".join(f"{c.name}={c.value}" for c in visitor.client.cookie_jar or ())
    async with visitor.client.request(path, headers=STREAM | {"Cookie": cookie}) as connection:
        await connection.send_complete()
        yield connection
        await connection.disconnect()


async def read(connection: Any, until: str, timeout_s: float = 10) -> str:
    """What comes, up to these words."""
    text = ""
    async with asyncio.timeout(timeout_s):
        while until not in text:
            text += (await connection.receive()).decode()
    return text


def hub(app: Quart) -> live.Live:
    return live.of_this_loop(app.extensions["monitor"])


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and heartbeats come quickly."""
    monkeypatch.setattr(live, "EVERY_S", 0.05)
    monkeypatch.setattr(live, "LOAD", 1.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)


async def test_a_change_is_sent_without_a_reload(fast: None, app: Quart, owner: Visitor) -> None:
    async with watching(owner) as connection:
        assert "served" not in await read(connection, "\n\n")
        await read(connection, "event: part")

        await monitor.pause(app.extensions["redis"], "default")

        assert "paused" in await read(connection, "paused")


async def test_all_who_watch_share_one_look(fast: None, app: Quart, owner: Visitor) -> None:
    """Twenty viewers cost as many commands as one, and see the same bytes."""
    redis = app.extensions["redis"]

    async def commands_of(viewers: int) -> float:
        async with asyncio.timeout(20):
            watches = [watching(owner) for _ in range(viewers)]
            connections = [await watch.__aenter__() for watch in watches]
            for connection in connections:
                await read(connection, "event: part")
            first, turns = int((await redis.info("stats"))["total_commands_processed"]), hub(app).turns
            await wait_until(lambda: hub(app).turns >= turns + 10, "ten looks")
            spent = int((await redis.info("stats"))["total_commands_processed"]) - first
            looked = hub(app).turns - turns
            for watch in watches:
                await watch.__aexit__(None, None, None)
        return spent / looked

    one, twenty = await commands_of(1), await commands_of(20)

    assert twenty <= one * 1.3 + 1


async def test_nobody_looks_when_nobody_watches(fast: None, app: Quart, owner: Visitor) -> None:
    async with watching(owner) as connection:
        await read(connection, "event: part")

    await wait_until(lambda: hub(app).streams == 0, "the stream to be given up")
    turns = hub(app).turns
    await asyncio.sleep(0.3)
    assert hub(app).turns == turns


async def test_a_stream_ends_with_the_process(fast: None, app: Quart, owner: Visitor) -> None:
    async with watching(owner) as connection:
        await read(connection, "event: part")

        app.extensions["monitor"].end_streams()

        async with asyncio.timeout(2):
            await connection.as_response()


async def test_a_stop_of_the_server_waits_for_no_stream(redis_url: str) -> None:
    async with site(redis_url) as here:
        with here.process("app.serve") as web:
            async with (
                here.browser(here.settings.owner_email) as browser,
                browser.stream("GET", "/monitor/", headers=STREAM) as stream,
            ):
                async for line in stream.aiter_lines():
                    if line == "event: part":
                        break
                began = time.monotonic()

                web.terminate()
                await wait_until(lambda: web.poll() is not None, "the server to end", timeout_s=20)

    assert time.monotonic() - began < 5  # a request that is under way has 10 s
    assert web.returncode == 0


async def test_a_stream_ends_when_its_session_is_signed_out(fast: None, owner: Visitor) -> None:
    async with watching(owner) as connection:
        await read(connection, "event: part")
        assert "still here" in await read(connection, "still here")

        await owner.post("/sign-out", page="/account")

        assert "event: over" in await read(connection, "event: over")
        async with asyncio.timeout(2):
            await connection.as_response()


async def test_only_the_owner_may_watch(charlie: Visitor, visitor: Visitor) -> None:
    assert (await charlie.get("/monitor/", headers=STREAM)).status_code == 403
    assert (await visitor.get("/monitor/", headers=STREAM)).status_code == 303


async def test_there_are_only_so_many_streams(fast: None, monkeypatch: pytest.MonkeyPatch, owner: Visitor) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    async with watching(owner) as connection:
        await read(connection, "event: part")

        assert (await owner.get("/monitor/jobs", headers=STREAM)).status_code == 503

    monkeypatch.setattr(live, "MOST_STREAMS", 10)
    monkeypatch.setattr(live, "MOST_PAGES", 1)
    async with watching(owner) as connection:
        await read(connection, "event: part")

        assert (await owner.get("/monitor/jobs", headers=STREAM)).status_code == 503


async def test_what_all_browsers_get_holds_nobody_s_token(fast: None, app: Quart, owner: Visitor) -> None:
    await monitor.pause(app.extensions["redis"], "default")
    await owner.get("/monitor/queues")
    token = owner.token()
    assert token

    async with watching(owner) as connection:
        part = await read(connection, "</table>")

    assert token not in part
    assert 'name="csrf_token" value=""' in part


async def test_a_job_that_is_gone_ends_its_stream_with_a_sentence(fast: None, app: Quart, owner: Visitor) -> None:
    redis = app.extensions["redis"]
    job = await log.apply_async(("later",), countdown=100)
    async with watching(owner, f"/monitor/job?id={job.id}") as connection:
        await read(connection, "event: part")

        await job.revoke()
        await redis.flushdb()

        await read(connection, "event: over\ndata: ")


async def test_a_text_in_redis_is_no_event(fast: None, app: Quart, owner: Visitor) -> None:
    redis = app.extensions["redis"]
    for newline in ("\n", "\r", "\r\n", "\u2028"):
        await monitor.note(redis, "owner", "x", f"a{newline * 2}event: over{newline}data: gone{newline * 2}", "x")

    async with watching(owner, "/monitor/audit") as connection:
        text = await read(connection, "</table>")

    assert text.count("gone") == 4
    assert re.findall("^event: .*", text, re.MULTILINE) == ["event: part"]
    assert "\r" not in text


async def test_a_look_asks_no_database(fast: None, monkeypatch: pytest.MonkeyPatch, app: Quart, owner: Visitor) -> None:
    """Whatever other features put on every page of the owner's."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 60)  # then SQL is asked whether the session is still signed in
    asked: list[str] = []
    engine = app.extensions["database"].engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    async with watching(owner) as connection:
        await read(connection, "event: part")
        turns = hub(app).turns
        asked.clear()
        await wait_until(lambda: hub(app).turns >= turns + 20, "twenty looks")
        assert asked == []


async def test_redis_away_is_said_and_its_return_seen(fast: None, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder).start()
    app = create_app(Settings(data_dir=tmp_path, redis_url=server.url, secret_key="only for tests, 32 characters"))
    async with app.test_app():
        owner = Visitor(app)
        await owner.sign_in(app.extensions["settings"].owner_email)
        async with watching(owner) as connection:
            await read(connection, "event: part")

            server.kill9()
            await read(connection, "event: away\ndata: ")
            for path in ("", "jobs", "audit"):
                assert (await owner.get(f"/monitor/{path}")).status_code == 503, path
                assert owner.marks.errors == ["redis-away"]
            server.start()
            await read(connection, "event: part")
    server.stop()

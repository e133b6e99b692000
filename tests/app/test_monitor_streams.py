"""Live pages in the site's session: they end with it, and with the process, and ask no database."""

from __future__ import annotations

import asyncio
import time

import pytest
from quart import Quart
from sqlalchemy import event

from jobs.monitor_site import live
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.watching import STREAM, read, watching
from tests.site import site
from tests.waiting import wait_until


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and heartbeats come quickly."""
    monkeypatch.setattr(live, "EVERY_S", 0.05)
    monkeypatch.setattr(live, "LOAD", 1.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)


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


async def test_a_look_asks_no_database(fast: None, monkeypatch: pytest.MonkeyPatch, app: Quart, owner: Visitor) -> None:
    """Whatever other features put on every page of the owner's."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 60)  # then SQL is asked whether the session is still signed in
    asked: list[str] = []
    engine = app.extensions["database"].engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    async with watching(owner) as connection:
        await read(connection, "event: part")
        turns = live.of_this_loop(app.extensions["monitor"]).turns
        asked.clear()
        await wait_until(lambda: live.of_this_loop(app.extensions["monitor"]).turns >= turns + 20, "twenty looks")
        assert asked == []

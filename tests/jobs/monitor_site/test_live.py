"""Live pages: one look for all who watch, none when nobody does, and streams that end when they should."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from jobs import JobsRedis, Viewer, monitor, monitor_app
from jobs.monitor_site import live
from jobs.monitor_site.application import Monitor
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.shop import echo
from tests.jobs.monitor_site.watching import STREAM, read, store_schedule, watching
from tests.redis_server import RedisServer
from tests.waiting import wait_until


def hub(app: Monitor) -> live.Live:
    return live.of_this_loop(app)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and heartbeats come quickly."""
    monkeypatch.setattr(live, "EVERY_S", 0.05)
    monkeypatch.setattr(live, "LOAD", 1.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)


async def test_a_change_is_sent_without_a_reload(
    fast: None, app: Monitor, connection: JobsRedis, owner: Visitor
) -> None:
    async with watching(owner) as stream:
        assert "served" not in await read(stream, "\n\n")
        await read(stream, "event: part")

        await monitor.pause(connection, "default")

        assert "paused" in await read(stream, "paused")


async def test_all_who_watch_share_one_look(fast: None, app: Monitor, connection: JobsRedis, owner: Visitor) -> None:
    """Twenty viewers cost as many commands as one, and see the same bytes."""

    async def commands_of(viewers: int) -> float:
        async with asyncio.timeout(20):
            watches = [watching(owner) for _ in range(viewers)]
            streams = [await watch.__aenter__() for watch in watches]
            for stream in streams:
                await read(stream, "event: part")
            first, turns = int((await connection.info("stats"))["total_commands_processed"]), hub(app).turns
            await wait_until(lambda: hub(app).turns >= turns + 10, "ten looks")
            spent = int((await connection.info("stats"))["total_commands_processed"]) - first
            looked = hub(app).turns - turns
            for watch in watches:
                await watch.__aexit__(None, None, None)
        return spent / looked

    one, twenty = await commands_of(1), await commands_of(20)

    assert twenty <= one * 1.3 + 1


async def test_nobody_looks_when_nobody_watches(
    fast: None, app: Monitor, connection: JobsRedis, owner: Visitor
) -> None:
    async with watching(owner) as stream:
        await read(stream, "event: part")

    await wait_until(lambda: hub(app).streams == 0, "the stream to be given up")
    turns = hub(app).turns
    await asyncio.sleep(0.3)
    assert hub(app).turns == turns


async def test_a_stream_ends_with_the_process(fast: None, app: Monitor, connection: JobsRedis, owner: Visitor) -> None:
    async with watching(owner) as stream:
        await read(stream, "event: part")

        app.end_streams()

        async with asyncio.timeout(2):
            await stream.as_response()


async def test_the_stream_of_one_who_may_no_longer_look_ends(fast: None, redis_url: str) -> None:
    viewers: list[Viewer | None] = [Viewer("ann")]
    app = monitor_app(redis_url, viewer=lambda request: viewers[-1])
    async with watching(Visitor(app), "/queues") as stream:
        await read(stream, "still here")

        viewers.append(None)

        await read(stream, "event: over")
        async with asyncio.timeout(2):
            await stream.as_response()


async def test_who_may_only_look_shares_no_part_with_who_may_act(
    fast: None, redis_url: str, connection: JobsRedis
) -> None:
    await monitor.pause(connection, "default")
    names = {"ann": Viewer("ann"), "ben": Viewer("ben", can_act=True)}
    app = monitor_app(redis_url, viewer=lambda request: names[request.headers["X-User"]])
    parts = {}
    for name in ("ben", "ann", "ben"):
        async with watching(Visitor(app), "/queues", {"X-User": name}) as stream:
            parts[name] = await read(stream, "</table>")

    assert "/ask?what=resume" in parts["ben"]
    assert "/ask" not in parts["ann"]
    assert "ann" not in parts["ann"]


async def test_there_are_only_so_many_streams(fast: None, monkeypatch: pytest.MonkeyPatch, owner: Visitor) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    async with watching(owner) as stream:
        await read(stream, "event: part")

        assert (await owner.get("/monitor/jobs", headers=STREAM)).status_code == 503

    monkeypatch.setattr(live, "MOST_STREAMS", 10)
    monkeypatch.setattr(live, "MOST_PAGES", 1)
    async with watching(owner) as stream:
        await read(stream, "event: part")

        assert (await owner.get("/monitor/jobs", headers=STREAM)).status_code == 503


async def test_what_all_browsers_get_holds_nobody_s_token(
    fast: None, app: Monitor, connection: JobsRedis, owner: Visitor
) -> None:
    await store_schedule(connection)
    await owner.get("/monitor/schedules")
    token = owner.token()
    assert token

    async with watching(owner, "/monitor/schedules") as stream:
        part = await read(stream, "</table>")

    assert token not in part
    assert 'name="csrf_token" value=""' in part


async def test_a_job_that_is_gone_ends_its_stream_with_a_sentence(
    fast: None, app: Monitor, connection: JobsRedis, owner: Visitor
) -> None:
    job = await echo.apply_async(("later",), countdown=100)
    async with watching(owner, f"/monitor/job?id={job.id}") as stream:
        await read(stream, "event: part")

        await job.revoke()
        await connection.flushdb()

        await read(stream, "event: over\ndata: ")


async def test_a_text_in_redis_is_no_event(fast: None, app: Monitor, connection: JobsRedis, owner: Visitor) -> None:
    for newline in ("\n", "\r", "\r\n", "\u2028"):
        await monitor.note(connection, "owner", "x", f"a{newline * 2}event: over{newline}data: gone{newline * 2}", "x")

    async with watching(owner, "/monitor/audit") as stream:
        text = await read(stream, "</table>")

    assert text.count("gone") == 8  # as a text and as a link to its other entries
    assert re.findall("^event: .*", text, re.MULTILINE) == ["event: figures", "event: part"]
    assert "\r" not in text


async def test_redis_away_is_said_and_its_return_seen(fast: None, tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    app = monitor_app(server.url, viewer=lambda request: Viewer("owner", can_act=True), prefix="/monitor")
    owner = Visitor(app)
    async with watching(owner) as stream:
        await read(stream, "event: part")

        server.kill9()
        await read(stream, "event: away\ndata: ")
        for path in ("", "jobs", "audit"):
            assert (await owner.get(f"/monitor/{path}")).status_code == 503, path
            assert owner.marks.errors == ["redis-away"]
        server.start()
        await read(stream, "event: part")
    server.stop()

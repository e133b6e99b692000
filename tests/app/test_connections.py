"""What the web server's connections outlast, and what they do not."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypercorn.asyncio import serve
from quart import Quart

from jobs.monitor_site.web import connections
from tests.app.running_site import free_port
from tests.waiting import wait_until


async def test_a_client_that_takes_nothing_of_its_answer_is_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And leaves no word in the log: there may be thousands."""
    connections.prepare()
    monkeypatch.setattr(connections, "UNREAD_S", 1)
    app, stopped, given_up = Quart(__name__), asyncio.Event(), asyncio.Event()
    app.config["RESPONSE_TIMEOUT"] = None
    port, config = free_port(), connections.Connections()
    config.bind = [f"127.0.0.1:{port}"]

    @app.get("/")
    async def endless() -> Any:
        async def words() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 100_000
            finally:
                given_up.set()

        return words()

    async def shutdown() -> None:
        await stopped.wait()

    serving = asyncio.create_task(serve(app, config, shutdown_trigger=shutdown))
    with socket.socket() as client:
        await wait_until(lambda: client.connect_ex(("127.0.0.1", port)) == 0, "the server")
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        await asyncio.wait_for(given_up.wait(), 10)
    stopped.set()
    await serving
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
        connections.prepare()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

"""Clients that hold a connection for as long as they can: each returns the status that it was given, 0 if none."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from jobs.monitor_site.web.connections import UNREAD_S
from tests.app.malformed import FORM
from tests.app.web_server import Server, status

HEAD = b"Host: 127.0.0.1\r\n"
FILE = b"GET /monitor/static/vendor/uplot-1.6.32.iife.min.js HTTP/1.1\r\n" + HEAD + b"\r\n"  # 50 KB
WEBSOCKET = (
    HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def drip(server: Server, at_once: bytes, then: bytes, every_s: float) -> int:
    """Send all of *at_once*, then a byte at a time until the server closes."""
    reader, writer = await server.open()
    writer.write(at_once)
    ended = asyncio.create_task(reader.read())
    with suppress(ConnectionError):
        for byte in then:
            if (await asyncio.wait([ended], timeout=every_s))[0]:
                break
            writer.write(bytes([byte]))
            await writer.drain()
    try:
        return status(await ended)
    except ConnectionError:
        return 0
    finally:
        writer.close()


async def slow_head(server: Server) -> int:
    return await drip(server, b"", b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 60, every_s=1)


async def slow_body(server: Server) -> int:
    return await drip(server, FORM + b"Content-Length: 100\r\n\r\nemail=", b"x" * 60, every_s=2)


async def silent(server: Server) -> int:
    return await drip(server, b"", b"", every_s=0)


async def idle(server: Server) -> int:
    """After its first request."""
    return await drip(server, b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n", b"", every_s=0)


async def websocket(server: Server) -> int:
    return await drip(server, b"GET /monitor/ HTTP/1.1\r\n" + WEBSOCKET, b"", every_s=0)


async def deaf(server: Server) -> int:
    """Asks for more than the system keeps for a client, and takes nothing of it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # the other end keeps less for it, too
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", server.site.settings.port))
        await loop.sock_sendall(client, FILE * 4)
        await asyncio.sleep(UNREAD_S + 15)
        try:
            client.send(b"GET")  # nobody is there who would take it
            await asyncio.sleep(1)
            client.send(b"GET")
        except ConnectionError:
            return 0
        return 200


async def live(server: Server, cookie: str) -> int:
    """The owner's live page, left after ten seconds."""
    reader, writer = await server.open()
    accept = f"Accept: text/event-stream\r\nCookie: {cookie}\r\n\r\n"
    writer.write(b"GET /monitor/ HTTP/1.1\r\n" + HEAD + accept.encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if status(head) == 200:
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await reader.read()
        return status(head)
    finally:
        writer.close()

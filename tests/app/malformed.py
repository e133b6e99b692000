"""Requests that are no HTTP, or hardly: each as it is, and with some bytes changed."""

from __future__ import annotations

import asyncio
import time
from random import Random

from tests.app.fuzzing import Outcome
from tests.app.web_server import Server, is_fault, status

HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n"
FORM = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
MULTIPART = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
MALFORMED = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "host that is no name": b"GET / HTTP/1.1\r\nHost: 127..0.1\r\n\r\n",
    "bad chunk size": FORM + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    "huge chunk size": FORM + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nx",
    "both lengths": FORM + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "two lengths": FORM + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "negative length": FORM + b"Content-Length: -1\r\n\r\n",
    "length in words": FORM + b"Content-Length: many\r\n\r\n",
    "other coding": FORM + b"Transfer-Encoding: gzip\r\n\r\nx",
    "long header": b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 17_000 + b"\r\n\r\n",
    "endless header": b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 300_000,
    "many headers": b"GET / HTTP/1.1\r\n" + HEAD + b"X: y\r\n" * 20_000 + b"\r\n",
    "long path": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    "NUL in path": b"GET /\0 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "NUL in header": b"GET / HTTP/1.1\r\n" + HEAD + b"X: \0\r\n\r\n",
    "encoded NUL": b"GET /posts/1-%00 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bad escape": b"GET /%zz%ff%c0%ae HTTP/1.1\r\n" + HEAD + b"\r\n",
    "dots": b"GET /static/../../settings.py HTTP/1.1\r\n" + HEAD + b"\r\n",
    "encoded dots": b"GET /static/%2e%2e%2f%2e%2e%2fsettings.py HTTP/1.1\r\n" + HEAD + b"\r\n",
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "absolute": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "no path": b"GET ? HTTP/1.1\r\n" + HEAD + b"\r\n",
    "no address": b"GET http://[ HTTP/1.1\r\n" + HEAD + b"\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n",
    "unknown method": b"BREW /about HTTP/1.1\r\n" + HEAD + b"\r\n",
    "trace": b"TRACE /about HTTP/1.1\r\n" + HEAD + b"\r\n",
    "version": b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "HTTP/2 upgrade": b"GET / HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: xx\r\n\r\n",
    "HTTP/2 upgrade without settings": b"GET / HTTP/1.1\r\n" + HEAD + b"Upgrade: h2c\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + HEAD + b"X : a\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "cookies": b"GET / HTTP/1.1\r\n" + HEAD + b"Cookie: session=" + b"=;\xff" * 3_000 + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "nothing": b"\r\n\r\n\r\n",
}
AT_ONCE = 50
SILENCE_S = 1
"""Whoever has not said all of a request is not answered: wait no longer."""


async def batter_broken(server: Server, count: int, random: Random) -> Outcome:
    """Send so many of them, with up to three bytes changed."""
    outcome = Outcome()

    async def lane(count: int, random: Random) -> None:
        for _ in range(count):
            await say(server, broken(random), outcome)

    await asyncio.gather(*(lane(count // AT_ONCE, Random(random.random())) for _ in range(AT_ONCE)))
    return outcome


def broken(random: Random) -> bytes:
    request = bytearray(random.choice(list(MALFORMED.values()))[:4_000])
    for _ in range(random.randrange(4)):
        request[random.randrange(len(request))] = random.randrange(256)
    return bytes(request)


async def say(server: Server, request: bytes, outcome: Outcome) -> None:
    began, answer = time.perf_counter(), b""
    try:
        answer = await server.send(request, patience_s=SILENCE_S)
        outcome.waits.append(time.perf_counter() - began)
    except TimeoutError:
        pass
    outcome.statuses[status(answer)] += 1
    if is_fault(answer) or b"Traceback" in answer or b"SECRET" in answer:
        outcome.faults.append(f"{request[:200]!r} -> {answer[:200]!r}")

"""The web process as it stands on a server, for tests that speak to it through plain sockets."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.site import Site
from tests.waiting import wait_until


@dataclass
class Server:
    """The running web process."""

    site: Site
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.site.settings.data_dir / "log").read_text()

    @property
    def memory_mb(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the server has ended")

    @property
    def open_files(self) -> int:
        """Connections too."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.site.settings.port)

    async def send(self, *parts: bytes, patience_s: float = 10) -> bytes:
        """What comes back, until it has said all or closes; empty if it only closes. Of a stream only the head."""
        reader, writer = await self.open()
        answer = b""
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(patience_s):
                answer = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", answer)
                answer += await reader.readexactly(int(length[1]) if length else 0)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            answer += getattr(error, "partial", b"")
        finally:
            writer.close()
        return answer

    async def calm(self) -> float:
        """How long an answer takes while nothing else happens: p99 of 100."""
        async with self.pinging(count=100) as waits:
            await wait_until(lambda: len(waits) >= 100, "100 pings")
        return p99(waits)

    @asynccontextmanager
    async def pinging(self, count: int = 100_000) -> AsyncIterator[list[float]]:
        """Ask /healthz all the time; yields how long each answer took."""
        waits: list[float] = []

        async def ping() -> None:
            async with httpx.AsyncClient(base_url=self.site.settings.base_url, timeout=30) as client:
                for _ in range(count):
                    began = time.perf_counter()
                    assert (await client.get("/healthz")).status_code == 200
                    waits.append(time.perf_counter() - began)
                    await asyncio.sleep(0.005)

        pinging = asyncio.create_task(ping())
        try:
            yield waits
        finally:
            pinging.cancel()
            await asyncio.wait([pinging])
        if not pinging.cancelled():
            pinging.result()


@asynccontextmanager
async def serving(here: Site) -> AsyncIterator[Server]:
    """`python -m app.serve` for this site, once it answers."""
    with here.process("app.serve") as process:
        async with httpx.AsyncClient(base_url=here.settings.base_url) as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_until(answers, "the server to answer", timeout_s=30)
        yield Server(here, process)


def p99(waits: Sequence[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]


def status(answer: bytes) -> int:
    """0: it was closed without a word, or in the words of HTTP/2."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1") else 0


def is_fault(answer: bytes) -> bool:
    """501 and 505 say that the request is in words which nobody here speaks."""
    return status(answer) >= 500 and status(answer) not in (501, 505)

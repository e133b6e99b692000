"""`python -m tests.bench.viewers PORT COOKIE`: browsers with live pages open, in a process whose cost is their own.

For each line that comes in, `50` or `0`, so many pages are open; a line goes out once each of them has its first part.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.bench.subjects import ROOT

WATCHED = ("/monitor/", "/monitor/jobs", "/monitor/queues", "/monitor/workers")


class Viewers:
    """The process, as measurements use it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def watch(self, n: int) -> None:
        """Have so many pages open, from when this returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != str(n):
            raise RuntimeError(f"{n} live pages could not be opened")


@contextmanager
def viewers(port: int, cookie: str) -> Iterator[Viewers]:
    """Nobody watches yet."""
    command = [sys.executable, "-m", "tests.bench.viewers", str(port), cookie]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Viewers(process)
        assert process.stdin is not None
        process.stdin.close()


async def watch(port: int, cookie: str, path: str, opened: asyncio.Semaphore) -> None:
    """One browser: it reads all that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n\r\n"
    try:
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.readuntil(b"event: part")
        opened.release()
        while await reader.read(65536):
            pass
    finally:
        writer.close()


async def main(port: int, cookie: str) -> None:
    watching: list[asyncio.Task[None]] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        for task in watching:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        opened = asyncio.Semaphore(0)
        paths = [WATCHED[number % len(WATCHED)] for number in range(int(line))]
        watching = [asyncio.create_task(watch(port, cookie, path, opened)) for path in paths]
        for _ in watching:
            await asyncio.wait_for(opened.acquire(), 20)
        print(len(watching), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

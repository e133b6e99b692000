"""What a scenario has to play with: a Redis behind a proxy, workers, a caller, the oracle, and its checks."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from jobs import Result, connect
from tests.chaos import ledger, tasks
from tests.chaos.fleet import ROOT, Fleet, WorkerProcess
from tests.chaos.oracle import Oracle
from tests.chaos.tcpproxy import TcpProxy
from tests.redis_server import RedisServer


@dataclass(frozen=True)
class Check:
    """One promise: what must be given, what was measured."""

    must: str
    measured: str
    ok: bool


class Stage:
    """Everything of one scenario; made by `staged()`. `size(full, short)` picks by the length of the run; `rounds`: how
    often what is played once may be played again.
    """

    def __init__(
        self, folder: Path, server: RedisServer, proxy: TcpProxy, url: str, seed: int, short: bool, rounds: int = 1
    ) -> None:
        self.folder = folder
        self.server = server
        self.proxy = proxy
        self.url = url
        self.rng = random.Random(seed)
        self.short = short
        self.rounds = rounds
        self.oracle = Oracle(folder / "ledger")
        self.redis = Redis.from_url(url, decode_responses=True)
        self.fleet = Fleet(
            folder,
            {"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0", "CHAOS_LEDGER": str(folder / "ledger")},
            "tests.chaos.tasks.WorkerSettings",
        )
        self.checks: list[Check] = []
        self.acked: dict[str, Result] = {}
        """Calls whose `.delay()` returned, by key."""
        self.sends, self.refused = 0, 0

    def size(self, full: Any, short: Any) -> Any:
        return short if self.short else full

    def check(self, must: str, measured: object, ok: bool) -> None:
        text = f"{measured:.1f}" if isinstance(measured, float) else str(measured)
        self.checks.append(Check(must, text, ok))

    async def workers(self, n: int = 1, *, folder: Path = ROOT, **environment: str) -> list[WorkerProcess]:
        """Start n, of the code in *folder*, and wait until they have started."""
        started = self.fleet.start(n, folder=folder, **environment)
        await self.until(
            lambda: all(worker.pid in self.oracle.read().ready for worker in started), "workers to start", 40
        )
        return started

    async def send(self, key: str, seconds: float = 0, *, task: Any = tasks.work, **options: Any) -> Result | None:
        """Call a task; what is acknowledged is written down, after it was acknowledged."""
        self.sends += 1
        try:
            result: Result = await task.apply_async((key, seconds), **options)
        except Exception as error:
            self.refused += 1
            ledger.note(key, f"refused: {error!r}")
            return None
        self.acked[key] = result
        return result

    async def send_many(self, calls: dict[str, float], **options: Any) -> None:
        """All of these, fifty at a time."""
        items = list(calls.items())
        for begin in range(0, len(items), 50):
            await asyncio.gather(*(self.send(key, s, **options) for key, s in items[begin : begin + 50]))

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> float:
        """Wait for it; returns how long it took. TimeoutError says what was waited for."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def until_all_acted(self, timeout_s: float) -> float:
        """Until each acknowledged call has had its effect."""
        return await self.until(
            lambda: self.oracle.read() and all(self.oracle.effects(key) for key in self.acked),
            f"all {len(self.acked)} acknowledged jobs to have run",
            timeout_s,
        )

    async def until_started(self, key: str, times: int = 1, timeout_s: float = 30) -> float:
        return await self.until(lambda: self.oracle.read().started(key) >= times, f"start {times} of {key}", timeout_s)

    async def record(self, key: str) -> dict[str, str]:
        """What Redis has written of a job."""
        names = ["state", "attempts", "retries", "crashes"]
        values = await self.redis.hmget(f"jobs:job:{self.acked[key].id}", names)
        return {name: value or "" for name, value in zip(names, values, strict=True)}

    async def slots_held(self, patience_s: float = 30) -> int:
        """The fewest jobs held at one moment while there is patience: one that waits in its slot is never missed, one
        that a schedule starts meanwhile does not count.
        """
        fewest, deadline = 10**6, time.monotonic() + patience_s
        while fewest and time.monotonic() < deadline:
            held = [await self.redis.zcard(key) async for key in self.redis.scan_iter("jobs:leases:*")]
            fewest = min(fewest, sum(held))
            await asyncio.sleep(0.02)
        return fewest

    async def states(self) -> dict[str, int]:
        """How many of the acknowledged jobs are in which state."""
        counts: dict[str, int] = {}
        results = list(self.acked.values())
        for begin in range(0, len(results), 200):
            for state in await asyncio.gather(*(result.state() for result in results[begin : begin + 200])):
                counts[state] = counts.get(state, 0) + 1
        return counts


@asynccontextmanager
async def staged(folder: Path, seed: int, *, short: bool, rounds: int = 1) -> AsyncIterator[Stage]:
    """A stage in an empty folder; everything that it started is gone afterwards."""
    server_port = _free_port()
    server = RedisServer(folder, config={"port": str(server_port), "bind": "127.0.0.1"}).start()
    proxy = await TcpProxy("127.0.0.1", server_port).start()
    ledger.use(folder / "ledger")
    url = f"redis://127.0.0.1:{server_port}/0"
    stage = Stage(folder, server, proxy, url, seed, short, rounds)
    try:
        async with connect(url):
            yield stage
    finally:
        stage.fleet.close()
        await stage.redis.aclose()
        await proxy.close()
        server.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

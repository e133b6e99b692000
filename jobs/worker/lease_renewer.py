"""What a worker reports of itself, and the thread that does so as it renews leases: a busy event loop does not lose
them, and a worker whose loop is stuck is ended."""

import asyncio
import contextlib
import logging
import math
import os
import platform
import socket
import sys
import threading
import time
import traceback
from collections import UserString
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import arq

from ..store.cancellation import wait_at_most
from ..store.outage import Changes, Outage
from ..store.script_connection import ScriptConnection
from .process import end_process, memory_mb
from .worker_options import WorkerOptions


@dataclass(frozen=True)
class Statistics:
    """What it does at one moment, for `Worker.statistics()` and the monitor."""

    name: str = ""  # Empty until the worker has started.
    running: int = 0  # Jobs that it holds: their code runs or waits, or its outcome is not recorded yet.
    busy: int = 0  # Slots in use: jobs that run and do not wait for others.
    started: int = 0
    quiet: bool = False
    stopping: bool = False  # It takes no more jobs, and ends with its last.
    slots: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)  # How many have ended, by state.


@dataclass(frozen=True)
class Presence:
    """What a worker reports of itself each time it renews its leases."""

    name: str
    queues: Sequence[str]
    tasks: Mapping[str, str]  # What processes without the code have to know of each task.
    facts: Callable[[], Mapping[str, str | int]]  # What it does now, for the monitor.
    version: str  # Of the application's code; '' if it has none.
    born: float = field(default_factory=time.monotonic)
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def words(self, lease_s: float, lag_s: float = 0) -> list[str | int]:
        """The first words of renew.lua."""
        queues, tasks = ",".join(self.queues), words(self.tasks)
        own = {"queues": queues, "tasks": ",".join(self.tasks), "started": self.started_ms, "version": self.version}
        here = {"host": socket.gethostname(), "pid": os.getpid(), "memory_mb": int(memory_mb())}
        up = {"up_s": int(time.monotonic() - self.born), "lag_ms": int(lag_s * 1000)}
        facts = words({**VERSIONS, **own, **here, **up, **self.facts()})
        return [self.name, int(lease_s * 1000), queues, len(tasks), len(facts), *tasks, *facts]


def words(pairs: Mapping[str, Any]) -> list[Any]:
    return [word for pair in pairs.items() for word in pair]


VERSIONS = {"python": platform.python_version(), "arq": arq.VERSION, "quarq": ""}
with contextlib.suppress(PackageNotFoundError):  # it is used from a checkout
    VERSIONS["quarq"] = version("quarq-jobs")


logger = logging.getLogger("arq.worker.jobs")

WATCH_LOOP_S = 1.0
STOOD_STILL_S = 8.0  # If two looks are further apart, the whole process was stopped in between.
BLOCKED_WARNING_S = 3.0  # An event loop that is blocked for longer is logged.


@dataclass(kw_only=True, eq=False)
class LeaseRenewer:
    """Renews the leases of *held* jobs. If the event loop is blocked for too long, the process ends itself and its jobs
    become due elsewhere. C code that holds the interpreter's lock stops this thread too; it needs `process=True`. Time
    in which this thread stopped as well (SIGSTOP, a frozen container) does not count.
    """

    connection: Callable[[], ScriptConnection]
    presence: Presence
    options: WorkerOptions
    held: Callable[[], Mapping[str, str]]
    stop_job: Callable[[str, str, str], None]

    def __post_init__(self) -> None:
        self._outage = Outage("renew leases")
        self._stopping = False
        self._ended = asyncio.Event()
        self._thread_loop: asyncio.AbstractEventLoop | None = None
        self._blocked = Changes(False)
        self._lag_s = 0.0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._keep()), name="lease-renewer", daemon=True)

    def start(self) -> None:
        """Begin; to be called on the loop that is watched."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._ticked = self._looked = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; leases that are still held run out."""
        self._stopping = True
        if self._thread_loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._thread_loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(timeout=2)

    async def _keep(self) -> None:
        self._thread_loop = asyncio.get_running_loop()
        connection = self.connection()
        renewed = -math.inf
        while not self._stopping and not self._loop.is_closed():  # a loop that was closed is not stuck
            self._watch_the_loop()
            if (now := time.monotonic()) - renewed >= self.options.lease_renewal:
                try:
                    await self._renew(connection)
                    renewed = now
                except Exception as error:  # tried again after the next look
                    self._outage.failed(error)
            await wait_at_most(min(WATCH_LOOP_S, self.options.lease_renewal / 2), self._ended.wait())
        await connection.close()

    async def _renew(self, connection: ScriptConnection) -> None:
        held = dict(list(self.held().items()))
        args, self._lag_s = [*self.presence.words(self.options.lease, self._lag_s), *words(held)], 0.0
        lost, revoked = await connection.with_own_keys(lambda: connection.run("renew", args))
        self._outage.worked()
        for ids, why in ((lost, "lost"), (revoked, "revoked")):
            for job_id in map(bytes.decode, ids):
                self._on_loop(self.stop_job, job_id, why, held[job_id])

    def _watch_the_loop(self) -> None:
        now = time.monotonic()
        unseen_s = now - self._looked
        # the loop has answered since, while this thread waited for Redis
        if unseen_s > STOOD_STILL_S or (unseen_s > 2 * WATCH_LOOP_S and self._ticked > self._looked):
            self._ticked = min(self._ticked + unseen_s, now)
        stuck_s = now - self._ticked
        self._lag_s = max(self._lag_s, stuck_s if self._ticked < self._looked else self._ticked - self._looked)
        self._looked = now
        if stuck_s > self.options.loop_stuck:
            logger.critical("the event loop was blocked for %.0f s: giving up. It is in\n%s", stuck_s, self._stack())
            end_process(1)
        is_blocked = stuck_s > BLOCKED_WARNING_S
        if self._blocked.to(is_blocked) and is_blocked:
            logger.warning("the event loop is blocked, since %.1f s. It is in\n%s", stuck_s, self._stack())
        self._on_loop(self._tick)

    def _tick(self) -> None:
        self._ticked = time.monotonic()

    def _on_loop(self, callback: Callable[..., None], *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def _stack(self) -> UserString:  # PrintableRecords would put a `str` on one line
        frame = sys._current_frames().get(self._loop_thread)
        return UserString("".join(traceback.format_stack(frame)).rstrip() if frame else "an unknown place")

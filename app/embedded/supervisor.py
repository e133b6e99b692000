"""Start the parts of `make run` in the order of their dependencies, and stop them in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.accounts.links import sign_in_link
from app.accounts.models import LINK_LIFETIME
from app.embedded import key, valkey
from app.embedded.catcher import catching
from app.embedded.processes import Service, StartError, running
from app.migrations import upgrade
from app.private_files import make_private
from jobs import QueueUnavailable, connect, monitor
from settings import Settings

WORKER_STARTS_S = 5
WORKER_GRACE_S = 40  # the worker gives its jobs 25 s to finish
WEB_GRACE_S = 15


async def supervise(settings: Settings) -> None:
    """Run everything until SIGINT, SIGTERM or SIGHUP. Leaves no process behind."""
    worker = Service("worker", [sys.executable, "-m", "arq", "worker.WorkerSettings"], grace_s=WORKER_GRACE_S)
    web = Service("web server", [sys.executable, "-m", "app.serve"], grace_s=WEB_GRACE_S)
    with only_one(settings) as lock, stopped_by_signals(worker, web):
        require_free_port(settings)
        async with contextlib.AsyncExitStack() as parts:
            if settings.embedded_redis:
                await parts.enter_async_context(redis(settings, lock))
            await migrate(settings)
            if settings.embedded_mail:
                await parts.enter_async_context(catching(settings))
                parts.enter_context(key.new_key(settings))
            await parts.enter_async_context(running(worker, web))
            await announce(settings)
            await asyncio.Event().wait()


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[int]:
    """Lock the data folder, so that a second `make run` in it is refused. Yields the lock's file descriptor."""
    make_private(settings.data_dir)
    handle = os.open(settings.data_dir / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + 2  # a Redis whose parent was killed unlocks it in a moment
        while not _locked(handle):
            if time.monotonic() > deadline:
                holder = os.read(handle, 20).decode() or "unknown"
                raise StartError(
                    f"Quarq already runs in {settings.data_dir} (process {holder}): stop it, or set DATA_DIR"
                )
            time.sleep(0.05)
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield handle
    finally:
        if settings.socket_dir != settings.data_dir:
            with contextlib.suppress(OSError):  # it does not exist, or a Redis is still leaving it
                settings.socket_dir.rmdir()
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def stopped_by_signals(*services: Service) -> Iterator[None]:
    """The first signal ends the block in order. A second one kills the services that still run."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            for service in services:
                service.kill()
        else:
            stopping = True
            print("Stopping: the worker finishes its jobs (once more to stop at once).", flush=True)
            main.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signum, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not stopping:
            raise


def require_free_port(settings: Settings) -> None:
    """Raise StartError if the port is busy, before anything starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise StartError(
                f"{settings.host}:{settings.port} cannot be used ({error.strerror}): "
                "stop what listens there, or set PORT"
            ) from error


@contextlib.asynccontextmanager
async def redis(settings: Settings, lock: int) -> AsyncIterator[None]:
    """Run the embedded Redis inside this block. It answers when the block begins."""
    server = valkey.service(settings, lock)
    async with running(server):
        await valkey.wait_ready(settings, server)
        yield


async def migrate(settings: Settings) -> None:
    """Upgrade the database to the newest schema."""
    try:
        await upgrade(settings)
    except SQLAlchemyError as error:
        raise StartError(f"The database cannot be brought to the newest schema: {error}") from error


async def announce(settings: Settings) -> None:
    """Print the addresses last, once all runs. The link to sign in only if OWNER_EMAIL is not set."""
    while not await _listening(settings):  # noqa: ASYNC110  another process cannot set an Event here
        await asyncio.sleep(0.05)
    await _worker_started(settings)
    lines = [f"{settings.site_name} runs at {settings.base_url}"]
    if settings.embedded_mail:
        lines.append(f"Its mail arrives at {key.address(settings)}")
    if settings.owner_email == Settings.owner_email:
        link, minutes = await sign_in_link(settings), LINK_LIFETIME // timedelta(minutes=1)
        if settings.embedded_mail:
            link = key.with_key(link, settings)
        lines.append(f"Start here, as its owner (once within {minutes} minutes): {link}")
    print("", *lines, "", sep="\n  ", flush=True)


async def _worker_started(settings: Settings) -> None:
    """Return once a worker is online, whose first lines are long, or after 5 s."""
    with contextlib.suppress(TimeoutError, QueueUnavailable):
        async with asyncio.timeout(WORKER_STARTS_S), connect(settings.redis_url) as redis:
            while not await monitor.workers(redis):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def _listening(settings: Settings) -> bool:
    try:
        _, writer = await asyncio.open_connection(settings.host, settings.port)
    except OSError:
        return False
    writer.close()
    return True

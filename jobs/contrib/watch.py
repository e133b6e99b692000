"""`arq --watch`, by watchfiles: a fresh worker process each time a file changes."""

import asyncio
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from ..errors import SettingsMistake
from .supervisor import send, start


async def watch_reload(path: str, worker_settings: Any) -> None:
    """Run this very command without `--watch`, as a process of its own, and start it again when *path* changes.

    arq's own restarts the worker in the process it has, whose modules stay as they were. A worker that does not start,
    because of a mistake in the code that was saved, is started again after the next change.
    """
    try:
        from watchfiles import awatch
    except ImportError:
        raise SettingsMistake("--watch needs watchfiles: pip install watchfiles") from None
    stopped = asyncio.Event()
    command = without_watch(sys.orig_argv[1:])
    worker = await start(command)

    def stop(signum: signal.Signals) -> None:
        stopped.set()
        send(worker, signum)

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop, signum)
    async for changes in awatch(path, stop_event=stopped):
        _forget_compiled(changed for _, changed in changes)
        print("files changed, starting the worker again", file=sys.stderr, flush=True)
        send(worker, signal.SIGTERM)
        await worker.wait()
        if not stopped.is_set():
            worker = await start(command)
    await worker.wait()


def _forget_compiled(changed: Iterable[str]) -> None:
    """Python takes a compiled file of the same second and length for that of a file."""
    for path in changed:
        if path.endswith(".py"):
            Path(cache_from_source(path)).unlink(missing_ok=True)


def without_watch(command: Sequence[str]) -> list[str]:
    """The command line with `--watch PATH` taken out."""
    words = iter(command)
    kept = []
    for word in words:
        if word == "--watch":
            next(words, None)
        elif not word.startswith("--watch="):
            kept.append(word)
    return kept

"""The event loop that runs the calls of plain code: in a daemon thread, one for each process that makes such a call."""

import asyncio
import atexit
import contextlib
import os
import sys
import threading
from typing import Any

from ..errors import NotConnected

END_S = 5
"""How long the end of the process waits for the thread to close its sockets."""


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's own, whatever policy is set: see `_after_fork`."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Its threads looked up host names. asyncio waits for them in one more thread, which the end of a process no
        longer starts."""


class LoopThread:
    """A thread that runs an event loop until `over` is set, then ends its tasks and closes its sockets."""

    def __init__(self) -> None:
        self.loop: Any = _Loop()
        self.is_over = False
        self.over = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name="jobs-blocking", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            try:
                runner.run(self.over.wait())
            finally:
                self.is_over = True


_lock = threading.RLock()  # a signal handler may call while the code that it interrupts begins to
_running: LoopThread | None = None
_ending = False
_left: list[asyncio.Task[Any]] = []
"""What processes above this one go on with: collected here, it would run its clean-up."""


def loop() -> asyncio.AbstractEventLoop:
    """The loop of this process, started if it does not run."""
    global _running
    with _lock:
        if _running is None or _running.is_over:
            gevent: Any = sys.modules.get("gevent.monkey")
            if gevent is not None and gevent.is_module_patched("threading"):
                raise NotConnected(
                    "gevent has replaced this process's threads, and an event loop needs one of its own: serve with "
                    "threads (gunicorn --worker-class gthread), or call from a process without monkey.patch_all()"
                )
            _running = LoopThread()
        return _running.loop  # type: ignore[no-any-return]


def gone() -> BaseException:
    """What a thread gets whose loop has ended. With the process it just ends: nobody reads what it would say."""
    return SystemExit() if _ending else NotConnected("the event loop that ran this call has ended")


def _end() -> None:
    global _ending
    _ending = True
    if _running is not None:
        with contextlib.suppress(RuntimeError):  # it has ended
            _running.loop.call_soon_threadsafe(_running.over.set)
        _running.thread.join(END_S)


def _after_fork() -> None:
    """In the child no thread but the one that forked goes on: another may have held the lock, and the loop is left as
    it is. What the child has inherited of it is closed, and none of it runs again: asyncio's own ways out would write
    to the epoll that the child shares with its parent.
    """
    global _running, _lock
    _lock = threading.RLock()
    if _running is None:
        return
    loop, _running = _running.loop, None
    _left.extend(asyncio.all_tasks(loop))
    for task in _left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # the parent goes on with it
    inherited = [transport._sock for transport in loop._transports.values()]
    for one in filter(None, (*inherited, loop._ssock, loop._csock, loop._selector)):
        one.close()
    loop._closed = True


atexit.register(_end)  # after threads that are no daemons, and after what the application registers from now on
os.register_at_fork(after_in_child=_after_fork)

"""Wake up instead of polling: a token in Redis for the first idle worker, the poll as the net."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from jobs import keys
from jobs.aside import with_own_keys
from jobs.ending import cancel_until_ended
from jobs.line import Line
from jobs.worker.link import Link


class Waker:
    """Waits for wake tokens of *queues*, while the worker can take jobs. One token is given to one waiting worker."""

    def __init__(
        self,
        line: Line,
        queues: Sequence[str],
        poll_s: float,
        can_take: Callable[[], bool],
        until_slot_is_free: Callable[[], Awaitable[None]],
    ) -> None:
        self._line = line
        self._keys = [keys.WAKE + queue for queue in queues]
        self._poll_s = max(poll_s, 0.01)
        self._can_take = can_take
        self._until_slot_is_free = until_slot_is_free
        self._woken = asyncio.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._link = Link("listen for wake-ups, jobs are found by looking")

    async def wait(self, next_due_s: float | None) -> None:
        """Wait until a job may be due: a token, the moment of the next deferred job, or the poll."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        self._wanted.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(
                min(self._poll_s, next_due_s if next_due_s is not None else self._poll_s)
            ):
                await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        """Let the wait end now."""
        self._woken.set()

    async def close(self) -> None:
        if self._task is not None:
            await cancel_until_ended([self._task])

    async def _pop(self) -> Any:
        return await self._line.command(b"BLPOP", *self._keys, self._poll_s, patience_s=self._poll_s)

    async def _listen(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                token = await with_own_keys(self._line, self._pop)
                self._link.worked()
                if token is None:
                    self._wanted.set()
                elif self._can_take():
                    self._woken.set()
                else:  # it is another worker's turn; if there is none, ours once we can take again
                    await self._line.command(b"LPUSH", token[0], 1)
                    while not self._can_take():
                        await self._until_slot_is_free()
                    self._wanted.set()
            except Exception as error:
                self._link.failed(error)
                await asyncio.sleep(0.5)  # the poll goes on meanwhile
                self._wanted.set()

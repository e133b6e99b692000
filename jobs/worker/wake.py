"""Wake up instead of polling: a token in Redis for the first idle worker, the poll as the net."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..store.cancellation import cancel_until_ended, wait_at_most
from ..store.outage import Outage
from ..store.script_connection import ScriptConnection
from ..store.wrong_type import with_own_keys


@dataclass(eq=False)
class Waker:
    """Waits for wake tokens of *queues*, while the worker can take jobs. One token is given to one waiting worker."""

    connection: ScriptConnection
    queues: Sequence[str]
    poll_s: float
    can_take: Callable[[], bool]
    until_slot_is_free: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        self.poll_s = max(self.poll_s, 0.01)
        self._woken = asyncio.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._outage = Outage("listen for wake-ups, jobs are found by looking")

    async def wait(self, next_due_s: float | None) -> None:
        """Wait until a job may be due: a token, the moment of the next deferred job, or the poll."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        self._wanted.set()
        patience_s = self.poll_s if next_due_s is None else min(self.poll_s, next_due_s)
        await wait_at_most(patience_s, self._woken.wait())
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    async def close(self) -> None:
        await cancel_until_ended([self._task])

    async def _listen(self) -> None:
        names = [self.connection.key.WAKE + queue for queue in self.queues]
        pop = partial(self.connection.command, b"BLPOP", *names, self.poll_s, patience_s=self.poll_s)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with self._outage.attempt():  # the poll goes on meanwhile
                token = await with_own_keys(self.connection, pop)
                if token is not None and self.can_take():
                    self._woken.set()
                    continue
                if token is not None:  # it is another worker's turn; if there is none, ours once we can take again
                    await self.connection.command(b"LPUSH", token[0], 1)
                    while not self.can_take():
                        await self.until_slot_is_free()
            self._wanted.set()

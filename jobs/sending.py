"""Sends calls to Redis: those made while others are under way travel together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs import scripts
from jobs.errors import QueueUnavailable
from jobs.line import Line, is_away

if TYPE_CHECKING:
    from jobs.calling import Call

TOGETHER = 500
"""Calls that one script stores."""


class Sender:
    """Stores calls on one line. Their ends are published to the channel *reply*."""

    def __init__(self, line: Line, reply: str) -> None:
        self._line = line
        self._reply = reply
        self._patience_s = 0.0
        self.outbox: list[tuple[Sequence[Call], asyncio.Future[list[int]]]] = []
        self.sending = False
        self._task: asyncio.Task[None] | None = None

    async def send(self, calls: Sequence[Call], patience_s: float) -> list[int]:
        """As `JobsRedis.enqueue`: a Redis that is away is waited for, *patience_s* long."""
        self._patience_s = patience_s
        if self.sending:
            future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
            self.outbox.append((calls, future))
            return await future
        self.sending = True
        try:
            return await self._store(calls)
        except Exception as error:
            if is_away(error):
                raise _unavailable(error) from error
            raise
        finally:
            if self.outbox:
                self._task = asyncio.create_task(self._send_all())
            else:
                self.sending = False

    async def close(self) -> None:
        """Close the line. Calls that were not answered yet raise."""
        if self._task is not None:
            self._task.cancel()
        await self._line.close()

    def abandon(self) -> None:
        """As `close`, where the loop is closed."""
        self._line.abandon()

    async def _send_all(self) -> None:
        """Send what was called while another call was under way, all together."""
        try:
            await self._send_until_empty()
        finally:
            self.sending = False

    async def _send_until_empty(self) -> None:
        while self.outbox:
            batch, self.outbox = self.outbox, []
            try:
                answers = await self._store([call for calls, _ in batch for call in calls])
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(_unavailable(error) if is_away(error) else error)
                if not isinstance(error, Exception):
                    raise
                continue
            place = 0
            for calls, future in batch:
                if not future.done():
                    future.set_result(answers[place : place + len(calls)])
                place += len(calls)

    async def _store(self, calls: Sequence[Call]) -> list[int]:
        if len(calls) <= TOGETHER:
            return await self._store_some(calls)
        answers: list[int] = []
        for first in range(0, len(calls), TOGETHER):
            answers += await self._store_some(calls[first : first + TOGETHER])
        return answers

    async def _store_some(self, calls: Sequence[Call]) -> list[int]:
        args: list[str | bytes] = []
        for call in calls:
            args += call.fields(self._reply)
        first_try = time.monotonic()
        delay = 0.02
        while True:
            try:
                return await self._line.run(scripts.ENQUEUE, args)  # type: ignore[no-any-return]
            except Exception as error:
                if not is_away(error) or time.monotonic() - first_try + delay > self._patience_s:
                    raise
                await asyncio.sleep(delay)
                delay = min(delay * 2, 0.5)


def _unavailable(error: BaseException) -> QueueUnavailable:
    unavailable = QueueUnavailable(f"Redis did not take the call, it may or may not be stored: {error}")
    unavailable.__cause__ = error
    return unavailable

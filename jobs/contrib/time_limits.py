"""`time_limit` and `soft_time_limit`: the first ends a task's code, the second raises inside it first."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from ..client.decorator import Task
from ..errors import SoftTimeLimitExceeded, TimeLimitExceeded
from ..tasks.current import CurrentJob

R = TypeVar("R")


async def run_within_limits(job: CurrentJob) -> Any:
    """Run the task of *job*; TimeLimitExceeded once it has run for its `time_limit`, clean-up included."""
    assert isinstance(job.task, Task)
    ref, options = f"{job.name}[{job.request.id}]", job.task.options
    time_limit, soft = options.time_limit, options.soft_time_limit
    coroutine = job.task.run(job, *job.arguments)
    if soft is not None:
        coroutine = _soft(coroutine, soft, f"{ref} has reached its soft_time_limit of {soft:g} s")
    if time_limit is None:
        return await coroutine
    try:
        async with asyncio.timeout(time_limit) as deadline:
            job._deadline = deadline
            return await coroutine
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise TimeLimitExceeded(f"{ref} ran longer than {time_limit:g} s") from error


async def _soft(coroutine: Coroutine[Any, Any, R], limit: float, message: str) -> R:
    driven = _Driven(coroutine, message)
    timer = asyncio.get_running_loop().call_later(limit, driven.interrupt)
    try:
        return await driven
    except _Interruption as error:
        raise SoftTimeLimitExceeded(*error.args).with_traceback(error.__traceback__) from None
    finally:
        timer.cancel()


class _Interruption(SoftTimeLimitExceeded, asyncio.CancelledError):
    """What is raised inside the code. A cancellation too: a TaskGroup ends its tasks for nothing less."""


class _Driven(Generic[R]):
    """Awaits a coroutine; `interrupt()` raises inside it, at its current await, once."""

    def __init__(self, coroutine: Coroutine[Any, Any, R], message: str) -> None:
        self._coroutine = coroutine
        self._message = message
        self._interrupted = False
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancels = task.cancelling()

    def interrupt(self) -> None:
        """Cancel what the code waits for; `__await__` turns that into the interruption."""
        self._interrupted = True
        self._task.cancel()

    def __await__(self) -> Generator[Any, Any, R]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            try:
                error = None
                yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as raised:
                error = raised
                if self._interrupted and isinstance(raised, asyncio.CancelledError):
                    self._interrupted = False
                    if self._task.uncancel() <= self._cancels:  # else somebody cancels us as well: that is stronger
                        error = _Interruption(self._message)

"""`self.blocking.step(...)`: a step of a `def` task, whose function runs in the thread of that."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from ...client.callables import is_async
from ...tasks.blocking_calls import wait_for
from .calls import DurableCalls
from .entries import DONE, FAILED, Entry
from .history import Name
from .log import ClaimLost
from .trying import StepOptions, check_function, read_options, refuse_timeout, tried_here


def step_in_thread(calls: DurableCalls, name: str, function: Callable[..., Any], args: Any, given: Any) -> Any:
    """As `DurableCalls.step`."""
    check_function(name, function)
    if is_async(function):
        return wait_for("self", "step", calls.step, name, function, *args, **given)
    options, kwargs = read_options(given)
    refuse_timeout(name, function, options)
    use, entry, started = wait_for("self", "step", _begin, calls, name, function, args, kwargs, options)
    is_new = entry is None
    if entry is None:
        try:
            letter, value = tried_here(partial(function, *args, **kwargs), options, calls.key_of(use))
        except BaseException:
            calls.loop.call_soon_threadsafe(calls.end, use)
            raise
        # not by `wait_for`, which raises in a job that was stopped: what was done is recorded
        ending = _end(calls, use, function, started, letter, value)
        entry = asyncio.run_coroutine_threadsafe(ending, calls.loop).result()
        if entry is None:
            raise asyncio.CancelledError("another worker has the job")
    return wait_for("self", "step", calls.came_to, entry, function, is_new)


async def _begin(
    calls: DurableCalls, name: str, function: Any, args: Any, kwargs: Any, options: StepOptions
) -> tuple[Name, Entry | None, int]:
    use, entry = calls.name_of(name, function, args, kwargs, options), None
    calls.begin(use)
    try:
        entry = await calls.history.find(use, DONE + FAILED, options.on_change)
        return use, entry, calls.history.log.now_ms()
    except BaseException:
        calls.end(use)
        raise
    finally:
        if entry is not None:
            calls.end(use)


async def _end(calls: DurableCalls, use: Name, function: Any, started: int, letter: str, value: Any) -> Entry | None:
    try:
        return await calls.record(use, function, started, letter, value)
    except ClaimLost:
        calls.note_lost()
        return None
    finally:
        calls.end(use)

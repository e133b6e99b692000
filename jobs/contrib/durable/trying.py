"""A step is tried: once, or as often as its options say; on the loop, or in a thread."""

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any

from arq.worker import Retry as RetryOfArq
from arq.worker import RetryJob

from ...client.callables import is_async
from ...client.decorator import Task
from ...errors import QuarqError, Retry, WrongValue
from ...tasks.parameters import RESULT, Annotations
from ...values import checks
from ...values.calls import running
from ...values.short_text import said
from .entries import DONE, FAILED

logger = logging.getLogger("arq.worker.jobs")

current_step: contextvars.ContextVar[str] = contextvars.ContextVar("jobs_current_step")
"""The key of the step whose function runs here."""
PASSES = (asyncio.CancelledError, Retry, RetryOfArq, RetryJob)
"""Not the end of a step: they are about the whole job."""


@dataclass(frozen=True)
class StepOptions:
    """What `self.step` takes besides the arguments of its function."""

    key: Any = None
    retries: int = 0
    retry_delay: float = 1
    timeout: float | None = None
    on_change: str = "fail"
    aliases: tuple[str, ...] = ()


_CHECKS: Mapping[str, checks.Check] = {
    "retries": checks.count,
    "retry_delay": partial(checks.seconds, least=0),
    "timeout": checks.or_none(partial(checks.seconds, least=checks.LEAST_SECONDS)),
    "aliases": checks.names,
}
_OPTIONS = frozenset(field.name for field in fields(StepOptions))


def read_options(options: dict[str, Any]) -> tuple[StepOptions, dict[str, Any]]:
    """The options of a step, checked, and the keyword arguments of its function."""
    given = {name: options.pop(name) for name in _OPTIONS & options.keys()}
    asked = StepOptions(**{name: _CHECKS[name](name, one) if name in _CHECKS else one for name, one in given.items()})
    if asked.on_change not in ("fail", "keep"):
        raise WrongValue(f"on_change={asked.on_change!r:.80}: give 'fail' or 'keep'")
    return asked, options


def check_function(name: str, function: Any) -> None:
    """TypeError: *function* was called already, or is none."""
    if callable(function):
        return
    if inspect.iscoroutine(function):
        function.close()
        called = function.__name__
        raise TypeError(
            f"self.step({name!r}, {called}(...)): leave the call to the step: self.step({name!r}, {called}, ...)"
        )
    raise TypeError(f"self.step({name!r}, {checks.shown(function)}): give a function, and its arguments behind it")


def refuse_timeout(name: str, function: Any, options: StepOptions) -> None:
    """WrongValue: the function runs in a thread, where nothing could end a try."""
    if options.timeout is not None and not is_async(function):
        raise WrongValue(f"{name}: timeout= cannot reach into a thread: make the function async def")


@contextmanager
def inside(step_key: str) -> Iterator[None]:
    token, job = current_step.set(step_key), running.set(running.get(None))
    try:
        yield
    finally:  # the function may have been a task, which runs as a job of its own
        running.reset(job)
        current_step.reset(token)


def key_here() -> str:
    """See `self.step_key`. QuarqError: no function of a step runs here."""
    if not (key := current_step.get("")):
        raise QuarqError("self.step_key: only the function of a step has one")
    return key


def refuse_inside() -> None:
    """QuarqError inside a step: it is recorded as a whole, or not at all."""
    if step_key := current_step.get(""):
        raise QuarqError(f"a step or a wait inside the step {step_key!r}: call it next to that, not in it")


async def tried(call: Callable[[], Awaitable[Any]], options: StepOptions, step_key: str) -> tuple[str, Any]:
    """(DONE, what it returned) or (FAILED, what it raised at last)."""
    for left in range(options.retries, -1, -1):
        try:
            with inside(step_key):
                async with asyncio.timeout(options.timeout):
                    return DONE, await call()
        except PASSES:
            raise
        except Exception as error:
            if not left:
                return FAILED, error
            _note(step_key, error, options.retry_delay)
        await asyncio.sleep(options.retry_delay)
    raise AssertionError


def tried_here(call: Callable[[], Any], options: StepOptions, step_key: str) -> tuple[str, Any]:
    """The same in this thread."""
    for left in range(options.retries, -1, -1):
        try:
            with inside(step_key):
                return DONE, call()
        except PASSES:
            raise
        except Exception as error:
            if not left:
                return FAILED, error
            _note(step_key, error, options.retry_delay)
        time.sleep(options.retry_delay)
    raise AssertionError


def _note(step_key: str, error: BaseException, delay_s: float) -> None:
    words = type(error).__name__, said(error, 200)
    logger.info("step %s failed, again in %g s, %s: %s", step_key, delay_s, *words)


def result_of(function: Any) -> Annotations | None:
    """What the return annotation of a step's function asks for, if it is anything: it is rebuilt by that."""
    if isinstance(function, Task):
        return function.parameters.annotations
    code = getattr(function, "func", function)  # of a partial
    asked = getattr(code, "__annotations__", {}).get(RESULT)
    return None if asked in (None, str, int, float, bool, bytes, dict, list) else _annotations(code)


@lru_cache(maxsize=256)
def _annotations(function: Any) -> Annotations | None:
    found = Annotations(getattr(function, "__qualname__", "step"), function, inspect.signature(function), strict=False)
    return found if RESULT in found.shapes or RESULT in found.unresolved else None

"""The same names in a task that is called as a function: nothing is recorded, and each is done here and now."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

from ...client.callables import is_async
from ...errors import QuarqError
from ...tasks.current import CurrentJob
from ...values import checks
from .entries import FAILED, check_key, check_name, field_of
from .trying import check_function, key_here, read_options, refuse_inside, tried, tried_here


class DirectCalls:
    """Those of one call."""

    def __init__(self, job: CurrentJob) -> None:
        if job.task.options.process:
            raise QuarqError(f"{job.name}: a task with process=True has no steps: leave process=True out")
        self._job = job

    @property
    def step_key(self) -> str:
        return key_here()

    async def step(self, name: str, function: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
        refuse_inside()
        check_function(name, function)
        options, kwargs = read_options(given)
        call = partial(function, *args, **kwargs)

        async def called() -> Any:
            return await (call() if is_async(function) else asyncio.to_thread(call))

        letter, value = await tried(called, options, self._key(name, options.key))
        if letter == FAILED:
            raise value
        return value

    def step_in_thread(self, name: str, function: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
        refuse_inside()
        check_function(name, function)
        options, kwargs = read_options(given)
        call = partial(function, *args, **kwargs)
        letter, value = tried_here(call, options, self._key(name, options.key))
        if letter == FAILED:
            raise value
        return value

    async def run(self, call: Any, **options: Any) -> Any:
        return await call()

    async def sleep(self, span: float | timedelta, **options: Any) -> None:
        await asyncio.sleep(checks.seconds("span", span, least=0))

    async def wait_for_event(self, name: str, timeout: Any = None, **default: Any) -> NoReturn:  # noqa: ASYNC109
        raise QuarqError(f"{self._job.name} was called directly, no event {name!r} reaches that: call it by delay()")

    def _key(self, name: str, key: Any) -> str:
        return f"{self._job.request.id or 'direct'}:{field_of('', check_name('name', name), check_key(key), 1)[1:]}"

"""`first`: the job that succeeds first, of several."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from ..store.outage import while_away
from ..values import checks
from ..values.calls import awaited
from .result import Result, at_most

R = TypeVar("R")
_seconds = checks.or_none(checks.seconds)


@awaited
async def first(
    results: Iterable[Result[R]],
    timeout: float | timedelta | None = None,  # noqa: ASYNC109
    terminate: bool = False,
) -> R:
    """What the first of these jobs to succeed returned; the others are then revoked, with *terminate* running ones too.

    A job that fails is passed over; if all do, the first of their errors in the order given is raised. TimeoutError
    when time is up, which changes nothing for the jobs. Inside a job, its slot is free while it waits.
    """
    limit_s, several = _seconds("timeout", timeout), list(results)
    checks.flag("terminate", terminate)
    for result in several:
        if not isinstance(result, Result):
            raise TypeError(f"first(): {checks.shown(result)} is no Result")
    if not several:
        raise ValueError("first of no results: it takes at least one")
    waits = [asyncio.ensure_future(result.get()) for result in several]
    shown = ", ".join(result.id for result in several[:3]) + (", …" if len(several) > 3 else "")
    try:
        async with at_most(limit_s, f"none of the jobs {shown} has succeeded", several[0].id):
            pending, winner = set(waits), None
            while pending and winner is None:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                winner = next((wait for wait in waits if wait.done() and wait.exception() is None), None)
            others = [result for result, wait in zip(several, waits, strict=True) if not wait.done()]
            await asyncio.gather(*(while_away(partial(result.revoke, terminate)) for result in others))
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return (winner or waits[0]).result()

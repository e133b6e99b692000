"""The first of several jobs to succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from jobs import checks
from jobs.awaiting import awaited
from jobs.away import while_away
from jobs.result import Result


@awaited
async def first(
    results: Iterable[Result],
    timeout: float | timedelta | None = None,  # noqa: ASYNC109
    terminate: bool = False,
) -> Any:
    """What the first of these jobs to succeed returned; the others are then revoked, with *terminate* running ones too.

    A job that fails is passed over; if all do, the first of their errors in the order given is raised. TimeoutError
    when time is up, which changes nothing for the jobs. Inside a job, its slot is free while it waits.
    """
    limit_s, several = checks.or_none(checks.seconds)("timeout", timeout), list(results)
    checks.flag("terminate", terminate)
    for result in several:
        if not isinstance(result, Result):
            raise TypeError(f"first(): {checks.shown(result)} is no Result")
    if not several:
        raise ValueError("first of no results: it takes at least one")
    waits = [asyncio.ensure_future(result.get()) for result in several]
    try:
        async with asyncio.timeout(limit_s):
            winner = await _first_success(waits)
            others = [result for result, wait in zip(several, waits, strict=True) if not wait.done()]
            revokes = [partial(result.revoke, terminate) for result in others]
            await asyncio.gather(*map(while_away, revokes))
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return winner.result()


async def _first_success(waits: Sequence[asyncio.Future[Any]]) -> asyncio.Future[Any]:
    """The first to end well; what the first in order raised, if all have ended badly."""
    pending = set(waits)
    while pending:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            if wait.done() and wait.exception() is None:
                return wait
    error = waits[0].exception()
    assert error is not None
    raise error

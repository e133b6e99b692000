"""Errors: what failed, in groups."""

from __future__ import annotations

from typing import Annotated, Literal

from ... import error_groups, model
from ...acting import Action
from ...actions import of_errors
from ...options import redis
from ...request_args import not_found
from ...viewers import reader_zone
from ..answers import Rows
from ..endpoints import read, write
from ..given import Given

Since = Annotated[str, Given("How far back: 30m, 6h, 14:00 or a date; at most 3d.", 40)]
State = Annotated[Literal["open", "resolved", "ignored", "all"], Given("Only errors in this state.")]
Mark = Annotated[Literal["open", "resolved", "ignored"], Given("Resolved: until it occurs again.")]
Above = Annotated[int, Given("Ignore it until more than this many attempts fail in a minute; 0: for good.", 1_000_000)]
Sort = Annotated[Literal["count", "last", "first"], Given("By count, or the latest by its last or first time, first.")]


@read("/errors")
async def errors(since: Since = "1h", state: State = "open", sort: Sort = "count") -> Rows[error_groups.ErrorGroup]:
    """The errors that occurred in this time, with how many attempts failed in each part of it."""
    span = error_groups.span_of(since, await model.now(redis()), reader_zone())
    return Rows(await error_groups.errors(redis(), since=span, state=state, sort=sort))


@read("/errors/{id}")
async def error(id: str, since: Since = "1h") -> error_groups.ErrorGroup:
    """One error. `jobs` are the ids of those that failed last; the query `error:<id>` finds all."""
    span = error_groups.span_of(since, await model.now(redis()), reader_zone())
    return await error_groups.error(redis(), id, span) or not_found()


@write("/errors/{id}/mark")
async def mark_error(id: str, state: Mark, above: Above = 0) -> Action:
    """Resolve it, ignore it, or open it again."""
    return of_errors.mark(id, state, above)

"""Calls of tasks by their names alone, which need not be known in this process."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..values import checks
from ..values.must_await import awaited
from ..workflows.canvas import Signature
from .result import Result


def signature(
    task: str,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    immutable: bool = False,
    **options: Any,
) -> Signature:
    """A call of the task of that name."""
    return Signature(checks.name("task", task), args, kwargs, options, immutable)


@awaited
async def send_task(
    name: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Result:
    """Call the task of that name on a worker; returns its Result."""
    return await Signature(checks.name("name", name), args, kwargs).apply_async(**options)  # type: ignore[no-any-return]

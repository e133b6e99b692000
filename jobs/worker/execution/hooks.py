"""Hooks, arq's and those of a task: one that fails is logged, and never hurts the job or the worker."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("arq.worker.jobs")

Hook = Callable[[dict[Any, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Hooks:
    """`on_job_start`, `on_job_end` (before the result is stored) and `after_job_end`, each given the job's ctx."""

    start: Hook | None = None
    end: Hook | None = None
    after_end: Hook | None = None


async def call_hook(hook: Callable[..., Any], task: str, *args: Any) -> None:
    """Call a hook, async or plain, of a job of this task. A plain one runs on the loop, so it must be quick.

    arq's take the job's ctx, a task's `on_success`, `on_failure` and `on_retry` the job and its value or exception.
    """
    try:
        answer = hook(*args)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        logger.exception("%s: the hook %s failed", task, getattr(hook, "__qualname__", hook))

"""The examples of the playground. The page shows the source of these functions."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.playground.tasks import log, multiply, total, unreliable
from jobs import chain, chord, group


@dataclass(frozen=True)
class Example:
    """One button. The owner may press it `a_minute` times a minute."""

    name: str
    title: str
    about: str
    run: Callable[[], Awaitable[Any]]
    a_minute: int

    @property
    def code(self) -> str:
        """The source of the example."""
        lines = inspect.getsource(self.run).splitlines(keepends=True)
        begin = next(number for number, line in enumerate(lines) if line.startswith("async def")) + 1
        return textwrap.dedent("".join(lines[begin:]))


EXAMPLES: dict[str, Example] = {}


def example(title: str, about: str, *, a_minute: int = 20) -> Callable[..., None]:
    """Add the decorated function to the page. It takes no arguments, so a request cannot change what runs."""

    def add(run: Callable[[], Awaitable[Any]]) -> None:
        name = run.__name__.strip("_")
        EXAMPLES[name] = Example(name, title, about, run, a_minute)

    return add


@example("A task", "Runs on a worker and returns its result.")
async def _task() -> Any:
    return await multiply.delay(4, 4)


@example("A task that writes a log line", "The worker logs its start and its result.")
async def _log() -> Any:
    return await log.delay("Message")


@example("A countdown", "Waits in Redis until it is due. It survives restarts.")
async def _countdown() -> Any:
    return await log.apply_async(("Ten seconds later",), countdown=10)


@example("Retries", "Fails twice. Each retry waits 2 seconds in Redis and occupies no worker.")
async def _retries() -> Any:
    return await unreliable.delay(failures=2)


@example("A failure", "Fails, and fails in all three retries. Its state is then FAILURE.")
async def _failure() -> Any:
    return await unreliable.delay(failures=99)


@example("A group", "Ten tasks in parallel. Results come in the order of the calls.")
async def _group() -> Any:
    return await group(multiply.s(i, i + 5) for i in range(10)).delay()


@example("A chain", "Tasks in sequence: each step gets the result of the step before it.")
async def _chain() -> Any:
    return await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20)).delay()


@example("A chord of 10,000", "Ten thousand tasks, and one that gets all their results.", a_minute=3)
async def _chord() -> Any:
    header = group(multiply.s(i, i + 5) for i in range(10_000))
    return await chord(header, total.s()).delay()

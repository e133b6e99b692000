"""The scenarios, by the ids of the fault list; each is a coroutine that plays on a Stage and makes its checks there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.stage import Stage

Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """`short`: has a short form, which is part of `make test`."""

    name: str
    title: str
    play: Play
    short: bool


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, title: str, *, short: bool = True) -> Callable[[Play], Play]:
    """Register a coroutine under its name."""

    def register(play: Play) -> Play:
        SCENARIOS[name] = Scenario(name, title, play, short)
        return play

    return register

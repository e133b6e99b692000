"""Keeps secrets out of logs, commands and pages, not out of Redis: arguments are hidden by their parameters' names."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Self

from ..values.sendable import LEAVES
from ..values.short_text import CUT, DEEPEST, cut, text
from . import registry
from .current import Request
from .secret_names import is_secret

HIDDEN = "***"
MOST = 65_536  # Values inside a call or a result that are looked at; `…` is shown for the others.

MAPS = {"jobs.map": False, "jobs.starmap": True}  # Tasks that run another: is each item all its arguments?


class Mark(str):
    """Stands for a value that is not shown: `***`, and in a *line* `password='***'`."""

    line: str

    def __new__(cls, shown: str, line: str) -> Self:
        mark = super().__new__(cls, shown)
        mark.line = line
        return mark

    def __repr__(self) -> str:
        return self.line


REST = Mark(CUT, CUT)  # Stands for the values that are left out.


@dataclass(frozen=True)
class Secrets:
    """Which positional arguments of a task are secret: those at `places`, and all from `rest` on (-1: none)."""

    places: Mapping[int, str] = field(default_factory=dict)  # place -> the parameter's name.
    rest: int = -1
    names: tuple[str, ...] = ()  # Secret ones that can only be given by name.
    parameters: tuple[str, ...] = field(default=(), compare=False)  # Of all places; of those from one on: `*rest`.
    by_name: tuple[str, ...] = field(default=(), compare=False)  # Others, and with `=` those that need not be given.

    def hide(self, name: str) -> bool:
        """Is the argument given by this name a secret, here or by what its worker says?"""
        return is_secret(name) or name in self.names or name in self.places.values()

    def name_at(self, place: int) -> str | None:
        """The name of the parameter at this place, if it is a secret."""
        return self.places[self.rest] if 0 <= self.rest <= place else self.places.get(place)


NOTHING = Secrets()
Lookup = Callable[[str], Secrets]  # A task's secrets by its name: `secrets_of_task`, or what workers say of theirs.


def secrets_of(function: Callable[..., Any], *, bound: bool) -> Secrets:
    """The secrets among the parameters of *function*, whose first argument is not the caller's if it is *bound*."""
    try:
        return _secrets_of_function(function, bound)
    except (TypeError, ValueError):  # cannot be hashed, or has no signature
        return NOTHING


def secrets_of_task(task: str) -> Secrets:
    """The same for the task of that name, if it is registered in this process."""
    known = registry.find(task)
    return NOTHING if known is None else secrets_of(known.function, bound=known.options.bind)


def masked(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    lookup: Lookup = secrets_of_task,
    most: int = MOST,
    secrets: Secrets | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call as people may see them: at most *most* values. *secrets*: the task's, if known."""
    secrets = lookup(task) if secrets is None else secrets
    if not (kwargs or secrets.places) and len(args) < most and LEAVES.issuperset(map(type, args)):
        return list(args), {}
    return _Masker(lookup, most).call(secrets, task, args, kwargs, DEEPEST)


def without_secrets(value: Any, most: int = MOST) -> Any:
    """A copy of at most *most* values in which each value under a secret's name is hidden."""
    return _Masker(secrets_of_task, most).value(value, DEEPEST)


def call_text(args: Sequence[Any], kwargs: Mapping[str, Any], limit: int = 80) -> str:
    """Arguments as one line of at most *limit* characters."""
    shown = ""
    for name, value in chain((("", value) for value in args), kwargs.items()):
        separator, named = ", " if shown else "", f"{cut(str(name), limit)}=" if name else ""
        shown += f"{separator}{named}{text(value, limit + 1 - len(shown))}"
        if len(shown) > limit:
            break
    return cut(shown, limit)


@lru_cache(4096)
def _secrets_of_function(function: Callable[..., Any], bound: bool) -> Secrets:
    parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
    by_name_only = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    secret = [(place, one) for place, one in enumerate(parameters) if is_secret(one.name)]
    places = {place: one.name for place, one in secret if one.kind not in by_name_only}
    rest = [place for place, one in secret if one.kind == one.VAR_POSITIONAL]
    names = tuple(one.name for _, one in secret if one.kind == one.KEYWORD_ONLY)
    placed = (
        f"{'*' * (one.kind == one.VAR_POSITIONAL)}{one.name}" for one in parameters if one.kind not in by_name_only
    )
    others = (one for one in parameters if one.kind in by_name_only or one.default is not one.empty)
    by_name = (
        "**" if one.kind == one.VAR_KEYWORD else one.name + "=" * (one.default is not one.empty) for one in others
    )
    return Secrets(places, rest[0] if rest else -1, names, tuple(placed), tuple(by_name))


class _Masker:
    """Copies values without their secrets, until it has seen *most* of them."""

    def __init__(self, lookup: Lookup, most: int) -> None:
        self._lookup = lookup
        self._left = most

    def call(
        self, secrets: Secrets, task: str, args: Any, kwargs: Any, depth: int, first: int = 0
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call of *task*, whose positional ones have the places from *first* on."""
        args = args if isinstance(args, list | tuple) else [args]
        match args:
            case [Mapping() as tree, [*items]] if task in MAPS:
                shown = self._map(tree, items, depth, each_is_all=MAPS[task])
            case _:
                shown = self._placed(secrets, args, depth, first)
        return shown, self._named(kwargs if isinstance(kwargs, Mapping) else {}, secrets, depth)

    def value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if type(value) not in (list, tuple) and not isinstance(value, dict | Request):
            return value
        if depth == 0:
            return REST
        if isinstance(value, Request):  # an error callback has it among its arguments
            secrets = self._lookup(value.task) if isinstance(value.task, str) else NOTHING
            args, kwargs = self.call(secrets, value.task, value.args, value.kwargs, depth - 1)
            return replace(value, args=tuple(args), kwargs=kwargs)
        if isinstance(value, dict):
            return self._named(value, NOTHING, depth - 1)
        return type(value)(self._placed(NOTHING, value, depth - 1))

    def _placed(self, secrets: Secrets, values: Sequence[Any], depth: int, first: int = 0) -> list[Any]:
        def shown(place: int, value: Any) -> Any:
            name = secrets.name_at(place)
            return self.value(value, depth) if name is None else Mark(HIDDEN, f"{name}={HIDDEN!r}")

        return self._each(shown, enumerate(values, first), REST)

    def _named(self, values: Mapping[Any, Any], secrets: Secrets, depth: int) -> dict[Any, Any]:
        def shown(name: Any, value: Any) -> Any:
            return name, HIDDEN if isinstance(name, str) and secrets.hide(name) else self.value(value, depth)

        return dict(self._each(shown, values.items(), (REST, REST)))

    def _map(self, tree: Mapping[str, Any], items: Sequence[Any], depth: int, *, each_is_all: bool) -> list[Any]:
        """Items come before the arguments that the tree has, as in every partial."""
        secrets = self._lookup(str(tree.get("task")))
        calls = [item if each_is_all and isinstance(item, list | tuple) else [item] for item in items]
        first = len(calls[0]) if calls else 1
        args, kwargs = self.call(secrets, "", tree.get("args", ()), tree.get("kwargs", {}), depth, first)

        def shown(_: int, call: Sequence[Any]) -> Any:
            seen = self._placed(secrets, call, depth)
            return seen if each_is_all else seen[0]

        return [{**tree, "args": args, "kwargs": kwargs}, self._each(shown, enumerate(calls), REST)]

    def _each(self, shown: Callable[..., Any], pairs: Iterable[tuple[Any, Any]], rest: Any) -> list[Any]:
        """What is shown of each pair until enough was seen; *rest* stands for the others."""
        made: list[Any] = []
        for pair in pairs:
            if self._left <= 0:
                return [*made, rest]
            made.append(shown(*pair))
        return made

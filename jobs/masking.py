"""Keeps secrets out of what people see: arguments are hidden by the names of their parameters, positional ones too.

For logs, commands and pages. What is stored in Redis is not changed by it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from jobs import registry
from jobs.current import Request
from jobs.errors import UnknownTask

if TYPE_CHECKING:
    from jobs.decorator import Task

HIDDEN = "***"

_SECRET = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|authori[sz]ation|apikey"
    r"|(?:^|[^a-z])(?:key|pass|pwd|auth|cookie|pin|otp)s?(?:$|[^a-z])",
    re.IGNORECASE,
)
_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_also_secret: set[str] = set()
_MAPS = {"jobs.map": False, "jobs.starmap": True}
"""Tasks whose arguments are another task's: is each item all of them?"""


def hide(*names: str) -> None:
    """Hide the arguments of these names as well, in this process."""
    _also_secret.update(name.lower() for name in names)
    is_secret.cache_clear()
    _secrets_of_function.cache_clear()


@lru_cache(4096)
def is_secret(name: str) -> bool:
    """Does a parameter of this name hold what nobody should see? `api_key` and `apiKey` do, `keyboard` does not."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return name.lower() in _also_secret or _SECRET.search(words) is not None


class Hidden(str):
    """A positional argument that is hidden: `***`, and in a line `password='***'`."""

    name: str

    def __new__(cls, name: str) -> Hidden:
        hidden = super().__new__(cls, HIDDEN)
        hidden.name = name
        return hidden

    def __repr__(self) -> str:
        return f"{self.name}={HIDDEN!r}"


@dataclass(frozen=True)
class Secrets:
    """Which positional arguments of a task are secret: those at `places`, and all from `rest` on (-1: none)."""

    places: Mapping[int, str] = field(default_factory=dict)
    """place -> the parameter's name."""
    rest: int = -1
    names: tuple[str, ...] = ()
    """Secret ones that can only be given by name."""

    def __bool__(self) -> bool:
        return bool(self.places or self.names)

    def hide(self, name: str) -> bool:
        """Is the argument given by this name a secret, here or by what its worker says?"""
        return is_secret(name) or name in self.names or name in self.places.values()

    def mask(self, args: Sequence[Any], lookup: Lookup | None = None) -> list[Any]:
        """The positional arguments, with the secret ones hidden."""
        if not self.places:
            return [without_secrets(value, lookup) for value in args]
        return [self._seen(place, value, lookup) for place, value in enumerate(args)]

    def _seen(self, place: int, value: Any, lookup: Lookup | None) -> Any:
        if 0 <= self.rest <= place:
            return Hidden(self.places[self.rest])
        return Hidden(self.places[place]) if place in self.places else without_secrets(value, lookup)


NOTHING = Secrets()
Lookup = Callable[[str], Secrets]
"""Which of a task's arguments are secret, by its name: `secrets_of_task`, or what workers say of theirs."""


def secrets_of(function: Callable[..., Any], *, bound: bool) -> Secrets:
    """The secrets among the parameters of *function*, whose first argument is not the caller's if it is *bound*."""
    try:
        return _secrets_of_function(function, bound)
    except TypeError:  # cannot be hashed, or has no signature
        return NOTHING


def secrets_of_task(task: str) -> Secrets:
    """The same for the task of that name, if it is registered in this process."""
    try:
        known: Task[Any, Any] = registry.lookup(task)  # type: ignore[assignment]  # only @task registers
    except UnknownTask:
        return NOTHING
    return secrets_of(known.function, bound=known.options.bind)


def masked(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], lookup: Lookup | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call as people may see them."""
    secrets = (lookup or secrets_of_task)(task)
    return masked_by(secrets, task, args, kwargs, lookup)


def masked_by(
    secrets: Secrets,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    lookup: Lookup | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """The same, of a task whose secrets are known already."""
    hidden = {
        name: HIDDEN if secrets.hide(name) else without_secrets(value, lookup)
        for name, value in kwargs.items()
    }
    if task in _MAPS and len(args) == 2 and isinstance(args[0], Mapping):
        return _masked_map(args[0], args[1], each_is_all=_MAPS[task], lookup=lookup), hidden
    return secrets.mask(args, lookup), hidden


def call_text(args: Sequence[Any], kwargs: Mapping[str, Any], limit: int = 80) -> str:
    """Arguments as one line of at most *limit* characters."""
    shown = [
        *(text(value, limit) for value in args),
        *(f"{name}={text(kwargs[name], limit)}" for name in kwargs),
    ]
    return cut(", ".join(shown), limit)


def text(value: Any, limit: int = 80) -> str:
    """The value as one line of at most *limit* characters, whatever its repr() does."""
    try:
        return cut(repr(value), limit)
    except Exception as error:
        return f"<a {type(value).__name__} whose repr() raises {type(error).__name__}>"


def cut(text: str, limit: int) -> str:
    """At most *limit* characters; what is left out shows as one more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def masked_url(url: str) -> str:
    """An address without its password."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{HIDDEN}@{host}"))


@lru_cache(4096)
def _secrets_of_function(function: Callable[..., Any], bound: bool) -> Secrets:
    try:
        parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
    except ValueError:
        return NOTHING
    places, rest = {}, -1
    for place, parameter in enumerate(parameters):
        if parameter.kind in _POSITIONAL and is_secret(parameter.name):
            places[place] = parameter.name
            rest = place if parameter.kind == parameter.VAR_POSITIONAL else -1
    only_named = [parameter.name for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY]
    return Secrets(places, rest, tuple(filter(is_secret, only_named)))


def _masked_map(
    tree: Mapping[str, Any], items: Any, *, each_is_all: bool, lookup: Lookup | None
) -> list[Any]:
    """Items come before the arguments that the tree has, as in every partial."""
    secrets = (lookup or secrets_of_task)(str(tree.get("task")))
    own_args, own_kwargs = tree.get("args", ()), tree.get("kwargs", {})
    first = len(items[0]) if each_is_all and items else 1
    rest = secrets.mask([None] * first + list(own_args), lookup)[first:]
    shown = {**tree, "args": rest, "kwargs": masked_by(secrets, "", (), own_kwargs, lookup)[1]}
    lists = [secrets.mask(item if each_is_all else [item], lookup) for item in items]
    return [shown, lists if each_is_all else [item for [item] in lists]]


def without_secrets(value: Any, lookup: Lookup | None = None) -> Any:
    """What stands under a secret's name inside a value is hidden."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if isinstance(name, str) and is_secret(name) else without_secrets(inner, lookup)
            for name, inner in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(without_secrets(inner, lookup) for inner in value)
    if isinstance(value, Request):  # what an error callback is told
        args, kwargs = masked(value.task, value.args, value.kwargs, lookup)
        return replace(value, args=tuple(args), kwargs=kwargs)
    return value

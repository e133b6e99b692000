"""Limits of a task: of all its jobs, and of those that share values of parameters; and the keys of its calls."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from uuid import UUID

import msgpack

from ..errors import SettingsMistake, WrongValue
from ..values import checks
from .rate_limit import stored_rate
from .secret_names import is_secret

MOST_LIMITS = 8  # In one option.
LONGEST_VALUE = 64  # Bytes of a value in a key; of a longer one it has a digest.
KEY_TYPES: Final = (str, int, UUID, date, Decimal)  # A bool is an int, a datetime a date.


@dataclass(frozen=True)
class Limit:
    """A limit for each value of a parameter, or for each combination of several: `Limit(2, per="tenant_id")`."""

    most: Any = None
    """What the option takes: a number in `max_concurrency`, a rate in `rate_limit`. None: as much as is set later."""
    per: str | Iterable[str] = field(kw_only=True)
    """The names of parameters, in any order."""

    def __post_init__(self) -> None:
        with checks.as_settings_mistake("Limit: "):
            given = [self.per] if isinstance(self.per, str) else self.per
            names = checks.list_of(checks.name, "names of parameters")("per", given)
            if not names or len({*names}) < len(names) or not all(map(str.isidentifier, names)):
                raise checks.refusal(WrongValue, "per", self.per, "the names of one or more parameters, each once")
        object.__setattr__(self, "per", tuple(sorted(names)))

    @property
    def names(self) -> str:
        return names_of(self.per)


Limits: TypeAlias = Any
"""What an option says: a plain value, a Limit, or a list of them, as a tuple once it is checked."""


def names_of(per: Iterable[str]) -> str:
    return "&".join(per)


def limit_option(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Limits]:
    """Takes a value that *check* takes, a Limit of such a value, or a list of them: at most one for each key."""

    def checked(option: str, value: Any) -> Limits:
        if not isinstance(value, Limit | list | tuple):
            return check(option, value)
        several = tuple(value) if isinstance(value, list | tuple) else (value,)
        of = [one.names if isinstance(one, Limit) else "" for one in several]
        if not any(of) or len(several) > MOST_LIMITS or len({*of}) < len(of):
            what = (
                f"a plain value, or a list of up to {MOST_LIMITS}: one for all jobs, and each Limit per something else"
            )
            raise checks.refusal(WrongValue, option, value, what)
        for one in several:
            check(option, one.most if isinstance(one, Limit) else one)
        return several

    return checked


def own_limit(limits: Limits) -> Any:
    """The limit of all jobs; None for none."""
    return next((one for one in _several(limits) if not isinstance(one, Limit)), None)


def keyed(limits: Limits) -> Iterator[Limit]:
    """Those for each key."""
    return (one for one in _several(limits) if isinstance(one, Limit))


def _several(limits: Limits) -> tuple[Any, ...]:
    return limits if isinstance(limits, tuple) else (limits,)


def keys_asked(rate_limit: Limits, max_concurrency: Limits) -> list[tuple[str, ...]]:
    """The parameters of each key that jobs have, most first: a job waits for the narrowest limit that is full."""
    several = {tuple(one.per) for option in (rate_limit, max_concurrency) for one in keyed(option)}
    return sorted(several, key=lambda per: (-len(per), per))


def packed(rate_limit: Limits, max_concurrency: Limits) -> bytes:
    """The limits by key, as buckets.lua reads them; b"" for none."""
    rates = {one.per: stored_rate(one.most) for one in keyed(rate_limit)}
    holders = {one.per: one.most or "" for one in keyed(max_concurrency)}
    asked = keys_asked(rate_limit, max_concurrency)
    rows = [[names_of(per), rates.get(per, ""), str(holders.get(per, ""))] for per in asked]
    return msgpack.packb(rows, use_bin_type=False) if rows else b""


def check_parameters(task: str, asked: Iterable[Sequence[str]], parameters: Sequence[str]) -> None:
    """SettingsMistake: a limit is per a parameter that the task has not."""
    for name in (name for per in asked for name in per):
        if name not in parameters:
            raise SettingsMistake(
                f"{task}: a limit is per {name!r}, which is no parameter of it; {checks.hint(name, parameters)}"
            )


def key_of(per: Iterable[str], values: Mapping[str, Any]) -> str:
    """The key of a job by these parameters, `region=eu&tenant_id=7`. WrongValue: a value that no key can have."""
    return names_of(f"{name}={value_text(name, values.get(name))}" for name in per)


def value_text(name: str, value: Any) -> str:
    """A value as keys have it: 7 and "7" are one. A long one, or a secret's, is a digest behind #."""
    value = value.value if isinstance(value, Enum) else value
    if value is not None and not isinstance(value, KEY_TYPES):
        what = "text, a whole number, a UUID, a date, a Decimal, an Enum or None: a limit has its value as key"
        raise WrongValue(f"{name}={'***' if is_secret(name) else checks.shown(value)}: give {what}")
    text = hex(value) if isinstance(value, int) and abs(value) >> 64 else str(value)
    quoted = quote(text, safe="", errors="surrogatepass")
    if len(quoted) <= LONGEST_VALUE and not is_secret(name):
        return quoted
    return "#" + sha256(quoted.encode()).hexdigest()[:32]

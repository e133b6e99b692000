"""What may be typed for an option. A wrong value is a sentence and exit code 64, before Redis is asked."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import click

from ..values import checks


def _typed(convert: Callable[[str], Any], advice: str) -> Callable[[str], Any]:
    """Reads an option; one of which *convert* makes nothing is refused with *advice*."""

    def read(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, RecursionError):  # WrongValue is one
            raise click.BadParameter(f"{checks.shown(text)}: {advice}") from None

    return read


def seconds(**limits: Any) -> Callable[[str], float]:
    advice = "give a number of seconds, more than 0" if "above" in limits else "give a number of seconds, at least 0"
    return _typed(lambda text: checks.seconds("seconds", float(text), **limits), advice)


def json_of(kind: type, example: str) -> Callable[[str], Any]:
    def loaded(text: str) -> Any:
        if isinstance(value := json.loads(text), kind):
            return value
        raise ValueError(text)

    return _typed(loaded, f"write it as JSON, like {example}")


time = _typed(
    lambda text: checks.moment("time", datetime.fromisoformat(text)),
    "write it like 2026-12-24T18:00 or 2026-12-24T18:00+01:00",
)
"""Local, unless it has an offset."""


def local_zone() -> tzinfo:
    """The time zone of times of day that are typed."""
    return datetime.now().astimezone().tzinfo or UTC


def limit_option(what: str, default: int) -> Callable[[Any], Any]:
    return click.option(
        "-n", "--limit", type=click.IntRange(1, 100_000), default=default, show_default=True, help=f"{what} at most."
    )


def names(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Names, with commas or one at a time. An empty text is no way to say "all": a variable may not be set."""
    found = tuple(name for value in values for name in value.split(",") if name)
    if any(not value.strip(" ,") for value in values):
        raise click.BadParameter("no name is given; leave it out for all", context, parameter)
    return found

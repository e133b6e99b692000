"""What may be typed for an option. A wrong value is a sentence and exit code 64, before Redis is asked."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from ..errors import WrongValue
from ..values import checks


def seconds(**limits: Any) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return checks.seconds("seconds", float(text), **limits)
        except WrongValue as error:
            raise click.BadParameter(str(error).removeprefix("seconds=")) from error
        except ValueError:
            raise click.BadParameter(f"{checks.shown(text)} is not a number") from None

    return read


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


def json_of(kind: type, example: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise click.BadParameter(f"{checks.shown(text)} is not JSON: {checks.shown(error)}") from error
        if not isinstance(value, kind):
            raise click.BadParameter(f"{checks.shown(text)}: write it like {example}")
        return value

    return read


def time(text: str) -> datetime:
    """A time, local unless it has an offset."""
    try:
        return checks.moment("time", datetime.fromisoformat(text))
    except ValueError:
        raise click.BadParameter(
            f"{checks.shown(text)}: write it like 2026-12-24T18:00 or 2026-12-24T18:00+01:00"
        ) from None

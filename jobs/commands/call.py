"""`call`: call a task."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from jobs import registry
from jobs.canvas import Signature
from jobs.commands.frame import Answer, Asked, asks


def _json(kind: type, example: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not JSON: {error}") from error
        if not isinstance(value, kind):
            raise click.BadParameter(f"{text!r}: write it like {example}")
        return value

    return read


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r}: write it like 2026-12-24T18:00 or 2026-12-24T18:00+01:00"
        ) from None


@click.command("call")
@click.argument("task")
@click.option(
    "-a",
    "--args",
    "args",
    type=_json(list, "'[4, 4]'"),
    default="[]",
    metavar="JSON",
    help="Positional arguments.",
)
@click.option(
    "-k",
    "--kwargs",
    "kwargs",
    type=_json(dict, "'{\"x\": 4}'"),
    default="{}",
    metavar="JSON",
    help="By name.",
)
@click.option(
    "--countdown", type=click.FloatRange(min=0), metavar="SECONDS", help="Not before so many seconds."
)
@click.option("--eta", type=_time, metavar="TIME", help="Not before this time; local, unless it says.")
@click.option(
    "--expires",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Not later than so many seconds.",
)
@click.option("--queue", metavar="QUEUE", help="Another queue than the task's own.")
@asks
async def command(asked: Asked, task: str, args: list[Any], kwargs: dict[str, Any], **options: Any) -> Answer:
    """Call a task on a worker; prints the job's id."""
    given = {name: value for name, value in options.items() if value is not None}
    if "countdown" in given and "eta" in given:
        raise click.UsageError("give --countdown or --eta, not both")
    known = task in dict(registry.registered()) or any(task in w.tasks for w in await asked.all_workers())
    if not known:
        click.echo(
            f"Warning: no task or worker here knows {task!r}; the job waits for one that does.", err=True
        )
    try:
        result = await asked.redis.submit(Signature(task, args, kwargs), given)
    except TypeError as error:  # arguments that the task does not take
        raise click.UsageError(str(error)) from error
    return Answer({"id": result.id}, [result.id])

"""`call`: call a task."""

from typing import Any

import click

from ..errors import EncodingError
from ..monitor import workers
from ..tasks import registry
from ..values import checks
from ..workflows.canvas import Signature
from .frame import Answer, Context, command_body
from .values import json_of, seconds, time


@click.command("call")
@click.argument("task")
@click.option(
    "-a", "--args", type=json_of(list, "'[4, 4]'"), default="[]", metavar="JSON", help="Positional arguments."
)
@click.option("-k", "--kwargs", type=json_of(dict, "'{\"x\": 4}'"), default="{}", metavar="JSON", help="By name.")
@click.option("--countdown", type=seconds(least=0), metavar="SECONDS", help="Start it after this many seconds.")
@click.option("--eta", type=time, metavar="TIME", help="Start it at this time; local, unless it has an offset.")
@click.option(
    "--expires", type=seconds(above=0), metavar="SECONDS", help="Drop it if it has not started in this many seconds."
)
@click.option("--queue", metavar="QUEUE", help="Another queue than the task's own.")
@command_body
async def call_command(context: Context, task: str, args: list[Any], kwargs: dict[str, Any], **options: Any) -> Answer:
    """Call a task on a worker; prints the job's id."""
    given = {name: value for name, value in options.items() if value is not None}
    checks.name("TASK", task)
    known = registry.find(task) or any(task in w.tasks for w in await workers(context.redis))
    if not known:
        click.echo(f"Warning: no task or worker here knows {task!r}; the job waits for one that does.", err=True)
    try:
        result = await context.redis.submit(Signature(task, args, kwargs), given)
    except (TypeError, EncodingError) as error:  # the task does not take the arguments, or they cannot travel
        raise click.UsageError(str(error)) from error
    return Answer({"id": result.id}, [result.id])

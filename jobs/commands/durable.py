"""`steps`, `awaiting` and `event`: what is recorded of a job with steps, who waits for somebody, and an answer."""

from typing import Any

import click

from .. import monitor
from ..errors import EventRefused
from ..values.short_text import count, time_text
from ..values.untrusted_text import printable
from .frame import Answer, Context, command_body, json_of


@click.command("steps")
@click.argument("job_id", metavar="ID")
@click.option("--run-from", "field", metavar="STEP", help="Run it again as a new job, with the steps before this one.")
@command_body
async def steps_command(context: Context, job_id: str, field: str | None) -> Answer:
    """What a job has recorded, in that order; each line begins with the name that --run-from takes."""
    if field:

        async def run() -> str:
            return await monitor.run_from(context.redis, job_id, field)

        new = await context.noted("run again from a step", job_id, run, "runs as {}".format)
        return Answer({"id": new, "retry_of": job_id}, [new])
    found = await monitor.steps(context.redis, job_id)
    lines = [f"{one.field}  {one.state}  {time_text(one.began)}  {one.value}".rstrip() for one in found]
    return Answer(found, lines, [f"{count(len(found), 'step')}."], code=0 if found else 1)


@click.command("awaiting")
@command_body
async def awaiting_command(context: Context) -> Answer:
    """The jobs that wait for an event, those that wait longest first."""
    found = await monitor.awaiting(context.redis)
    lines = [f"{one.job.id}  {one.job.task}  {wait.event}  {wait.line}" for one in found for wait in one.waits]
    return Answer(found, lines, [f"{count(len(found), 'job')}."])


@click.command("event")
@click.argument("job_id", metavar="ID")
@click.argument("name")
@click.option("--value", type=json_of(object, "'true'"), default="null", metavar="JSON", help="Its value.")
@click.option("--note", default="", help="Why, for those who look.")
@command_body
async def event_command(context: Context, job_id: str, name: str, value: Any, note: str) -> Answer:
    """Give an event to a job that has not ended."""
    monitor.check_event("NAME", name)

    async def send() -> str:
        return await monitor.send_event(context.redis, job_id, name, value, context.who, note)

    try:
        what = f"send event {name}{f': {note[:200]}' if note else ''}"
        kept = await context.noted(what, job_id, send, lambda kept: kept or "sent")
    except EventRefused as error:
        raise click.ClickException(str(error)) from error
    if kept:
        click.echo(f"Warning: {printable(kept)}.", err=True)
    return Answer({"id": job_id, "event": name, "kept": kept}, [f"{job_id}: {name} is {'kept' if kept else 'sent'}"])

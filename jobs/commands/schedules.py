"""`schedules`: what is due by itself, declared or stored; put, pause, run, delete and backfill one."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import click

from .. import monitor
from ..errors import EncodingError
from ..monitor_site import in_words
from ..values import checks
from ..values.short_text import count, time_text
from ..workflows.canvas import Signature
from .control import warn_of_task
from .frame import Answer, Context, command_body, json_of, limit_option, time

_ACTIONS: dict[str, tuple[Callable[..., Awaitable[Any]], str]] = {
    "pause": (monitor.pause_schedule, "paused"),
    "resume": (monitor.resume_schedule, "resumed"),
    "run": (monitor.run_schedule, "runs as {}"),
    "delete": (monitor.delete_schedule, "deleted"),
}


@click.command("schedules")
@click.argument("action", type=click.Choice(["list", "put", *_ACTIONS, "backfill"]), default="list")
@click.argument("name", required=False)
@click.option("--since", type=time, metavar="TIME", help="backfill: the first moment; local, unless it has an offset.")
@click.option("--until", type=time, metavar="TIME", help="backfill: the last moment.")
@click.option("--task", metavar="TASK", help="put: what it calls.")
@click.option("-a", "--args", type=json_of(list, "'[4, 4]'"), default="[]", metavar="JSON", help="put: by position.")
@click.option("-k", "--kwargs", type=json_of(dict, "'{\"x\": 4}'"), default="{}", metavar="JSON", help="put: by name.")
@click.option("--when", metavar="TEXT", help="put: when: '0 8 * * 1-5', as in a crontab, or 'every 0:05:00'.")
@click.option("--timezone", metavar="ZONE", help="put: of a crontab, such as Europe/Berlin.  [UTC]")
@limit_option("Schedules", 1000)
@click.option("-f", "--force", is_flag=True, help="Do not ask before delete and backfill.")
@command_body
async def schedules_command(
    context: Context, action: str, name: str | None, since: Any, until: Any, limit: int, force: bool, **put: Any
) -> Answer:
    """Every schedule, declared or stored: when it is due, its last and its next run.

    \b
    list [TEXT]           those with this text in their names
    put NAME --task TASK --when TEXT
                          store one, or change it; any worker fires it
    pause NAME            its moments pass without a run
    resume NAME           the next moment runs again
    run NAME              run it now; prints the id of the job
    delete NAME           remove a stored one, or one that no worker declares
    backfill NAME --since TIME --until TIME
                          run it now for each moment for which it has not run
    """
    if (action == "backfill") != (since is not None and until is not None):
        raise click.UsageError("backfill goes with --since and --until")
    given = {option for option, value in put.items() if value not in (None, [], {})}
    if not {"task", "when"} <= given if action == "put" else given:
        raise click.UsageError("put goes with --task and --when, and these with put")
    if action == "list":
        return await _list(context, name or "", limit)
    if not name:
        raise click.UsageError(f"{action} what? Give the NAME of a schedule")
    if action == "backfill":
        return await _backfill(context, name, since, until, force)
    if action == "put":
        return await _put(context, name, **put)
    if action == "delete":
        await monitor.get_schedule(context.redis, name)
        if not force:
            click.confirm("Delete it?", abort=True, err=True)
    do, said = _ACTIONS[action]
    done = await context.noted(f"{action} schedule", name, partial(do, context.redis, name), said.format)
    return Answer({"name": name, "result": done}, [done if action == "run" else f"{name}: {said.format(done)}"])


async def _list(context: Context, text: str, limit: int) -> Answer:
    names, total = await monitor.schedule_names(context.redis, text, 0, limit)
    found = await monitor.schedules_named(context.redis, names)
    more = f" {total - len(names):,} more: give a text of their names, or --limit." if total > len(names) else ""
    return Answer(found, list(map(_line, found)), [f"{count(len(found), 'schedule')}.{more}"])


async def _put(
    context: Context, name: str, task: str, args: list[Any], kwargs: dict[str, Any], when: str, timezone: str | None
) -> Answer:
    checks.name("TASK", task)
    await warn_of_task(context, task, "each of its jobs")
    do = partial(monitor.put_schedule, context.redis, name, Signature(task, args, kwargs), when, timezone)
    try:
        at = await context.noted("put schedule", name, do, lambda at: f"next {time_text(at)}")
    except (TypeError, EncodingError) as error:
        raise click.UsageError(str(error)) from error
    return Answer({"name": name, "next_run": at}, [f"{name}: put; it runs next at {time_text(at)}"])


async def _backfill(context: Context, name: str, since: datetime, until: datetime, force: bool) -> Answer:
    n = await monitor.moments_to_backfill(context.redis, name, since, until)
    if n and not force:
        click.confirm(f"Run it for those of {count(n, 'moment')} for which it has not run?", abort=True, err=True)
    do = partial(monitor.backfill_schedule, context.redis, name, since, until)
    made = await context.noted("backfill schedule", name, do, lambda made: count(len(made), "job"))
    return Answer({"name": name, "moments": n, "ids": made}, made, [f"{count(len(made), 'job')}."])


def _line(info: monitor.ScheduleInfo) -> str:
    last = f"last {time_text(info.last_run)}" if info.last_run else "never run"
    coming = "paused" if info.paused else f"next {time_text(info.next_run)}" if info.next_run else "no next run"
    gone = f"  no worker has it{f' since {time_text(info.seen)}' if info.seen else ''}" if info.gone else ""
    return f"{info.name}  {info.workflow or info.task}  {in_words(info.when)}  {last}  {coming}{gone}"

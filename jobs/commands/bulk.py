"""What `retry`, `control revoke`, `move` and `purge` do with --where: count, ask, and have a worker do it to all."""

import asyncio
import contextlib
import functools
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import click

from .. import monitor_site
from ..client.result import Result
from ..values.short_text import count
from ..values.untrusted_text import printable
from .frame import Answer, Body, Context
from .values import local_zone

_OPTIONS = (
    click.option("--where", metavar="QUERY", help="All that match, such as 'task:shop.* state:failed since:14:00'."),
    click.option("--dry-run", is_flag=True, help="With --where: only count them."),
    click.option("--rate", default="", metavar="RATE", help="With --where: at most 5/s, 100/m or 1000/h."),
    click.option("-f", "--force", is_flag=True, help="Do not ask."),
)


Many = Callable[..., Awaitable[Answer]] | None  # Does an action to all that match; None: --where is not given.


def where_options(body: Body) -> Body:
    """Gives the *body* of a command its `many`, and `force`."""

    @functools.wraps(body)
    async def with_many(context: Context, where: str | None, dry_run: bool, rate: str, force: bool, **own: Any) -> Any:
        if where is None and (dry_run or rate):
            raise click.UsageError("--dry-run and --rate go with --where")
        many = None if where is None else functools.partial(_all, context, where, dry_run, rate, force)
        return await body(context, many=many, force=force, **own)

    return functools.reduce(lambda command, option: option(command), reversed(_OPTIONS), with_many)


async def _all(
    context: Context, where: str, dry_run: bool, rate: str, force: bool, action: str, queue: str = ""
) -> Answer:
    """Do it to all jobs that match, once somebody has agreed to their number. A worker goes on when this has ended."""
    query, zone = monitor_site.parse(where), local_zone()
    made = await monitor_site.plan(context.redis, action, query, zone=zone, queue=queue, rate=rate)
    if dry_run or not made.jobs:
        return Answer(made, made.lines, code=0 if made.jobs else 1)
    click.echo("\n".join(map(printable, made.lines)), err=True)
    if not force:
        click.confirm(f"{action.capitalize()} {count(made.jobs, 'job')}?", abort=True, err=True)
    run = await monitor_site.start(context.redis, made, context.who)
    where_done = (
        f"A worker does it as {run}, and goes on" if run else "No live worker can do it: it is done here, and stops"
    )
    click.echo(f"{where_done} when this command ends.", err=True)
    if run is None:
        await monitor_site.confirm(context.redis, made, context.who)
    here = import_module("..contrib.bulk_run", __package__)  # a command without --where never imports it
    steps = here.carry_out(context.redis, made.id) if run is None else Result(run, context.redis).progress()
    with contextlib.suppress(TimeoutError), click.progressbar(length=made.jobs, label=action, file=sys.stderr) as bar:
        async with asyncio.timeout(context.timeout_s):
            async for step in steps:
                bar.update(step["done"] - bar.pos)
    made = await monitor_site.read_plan(context.redis, made.id)
    state = "SUCCESS" if run is None else await Result(run, context.redis).state()
    changed = f", {made.skipped:,} left alone, as they have changed since" if made.skipped else ""
    line = f"{run or 'Done here'}: {state}, {made.done - made.skipped:,} of {count(made.jobs, 'job')}{changed}"
    return Answer({**vars(made), "run": run, "state": state}, [line], code=int(made.done < made.jobs))

"""`call`, `control`, `purge`, `retry` and `move`: have workers do something, or change what they do. With --where:
count all jobs that match, ask, and have a worker do it to them."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from functools import partial, reduce, wraps
from importlib import import_module
from typing import Any

import click

from .. import monitor, monitor_site
from ..client.connection import JobsRedis
from ..client.result import Result
from ..errors import EncodingError
from ..tasks import registry
from ..values import checks
from ..values.short_text import count, cut
from ..values.untrusted_text import printable
from ..workflows.canvas import Signature
from .frame import UNAVAILABLE, Answer, Body, Context, command_body, json_of, local_zone, queue_option, seconds, time

_WHERE_OPTIONS = (
    click.option("--where", metavar="QUERY", help="All that match, such as 'task:shop.* state:failed since:14:00'."),
    click.option("--dry-run", is_flag=True, help="With --where: only count them."),
    click.option("--rate", default="", metavar="RATE", help="With --where: at most 5/s, 100/m or 1000/h."),
    click.option("-f", "--force", is_flag=True, help="Do not ask."),
)

Many = Callable[..., Awaitable[Answer]] | None  # Does an action to all that match; None: --where is not given.


def where_options(body: Body) -> Body:
    """Gives the *body* of a command its `many`, and `force`."""

    @wraps(body)
    async def with_many(context: Context, where: str | None, dry_run: bool, rate: str, force: bool, **own: Any) -> Any:
        if where is None and (dry_run or rate):
            raise click.UsageError("--dry-run and --rate go with --where")
        many = None if where is None else partial(_all, context, where, dry_run, rate, force)
        return await body(context, many=many, force=force, **own)

    return reduce(lambda command, option: option(command), reversed(_WHERE_OPTIONS), with_many)


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


@click.command("call")
@click.argument("task")
@click.option("-a", "--args", type=json_of(list, "'[4, 4]'"), default="[]", metavar="JSON", help="By position.")
@click.option("-k", "--kwargs", type=json_of(dict, "'{\"x\": 4}'"), default="{}", metavar="JSON", help="By name.")
@click.option("--countdown", type=seconds(least=0), metavar="SECONDS", help="Start it after this many seconds.")
@click.option("--eta", type=time, metavar="TIME", help="Start it at this time; local, unless it has an offset.")
@click.option("--expires", type=seconds(least=0.001), metavar="SECONDS", help="Drop it if not started by then.")
@click.option("--queue", metavar="QUEUE", help="Another queue than the task's own.")
@command_body
async def call_command(context: Context, task: str, args: list[Any], kwargs: dict[str, Any], **options: Any) -> Answer:
    """Call a task on a worker; prints the job's id.

    Arguments are JSON: no Decimal, datetime or bytes. Call a task that takes those from Python.
    """
    given = {name: value for name, value in options.items() if value is not None}
    checks.name("TASK", task)
    await warn_of_task(context, task, "the job")
    if "queue" in given:
        await _warn_of_queue(context, given["queue"])
    try:
        result = await context.redis.submit(Signature(task, args, kwargs), given)
    except (TypeError, EncodingError) as error:  # the task does not take the arguments, or they cannot travel
        raise click.UsageError(str(error)) from error
    notes = ["This job was there: the call became it, as its task is unique."] if result.existing else []
    notes += ["It has taken the arguments of this call."] if result.replaced else []
    return Answer({"id": result.id, "existing": result.existing, "replaced": result.replaced}, [result.id], notes)


@click.command("control")
@click.argument("action", type=click.Choice(["revoke", "rate_limit", "pause", "resume", "quiet", "shutdown"]))
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option("--terminate", is_flag=True, help="revoke: stop it if it runs.")
@command_body
@where_options
async def control_command(
    context: Context, action: str, words: tuple[str, ...], terminate: bool, many: Many, **_: Any
) -> Answer:
    """Change what workers do.

    \b
    revoke ID...            never start these jobs; with --terminate, stop them; or with --where, all that match
    rate_limit TASK RATE    10/s, 5/m, 100/h or none; for all workers, for good
    pause QUEUE...          claim nothing more of these queues
    resume QUEUE...         claim again
    quiet                   claim no more; what runs goes on (-d: only these workers)
    shutdown                end what runs, then end (-d: only these workers)
    """
    if terminate and action != "revoke":
        raise click.UsageError("--terminate goes with revoke")
    if many:
        if action != "revoke" or words:
            raise click.UsageError("--where goes with revoke, in place of ids")
        return await many("terminate" if terminate else action)
    if action == "rate_limit":
        return await _rate_limit(context, words)
    of_workers = action in ("quiet", "shutdown")
    if of_workers and words:
        raise click.UsageError(f"{action} takes no {words[0]!r}: name workers with -d")
    targets = [worker.name for worker in await context.workers()] if of_workers else words
    if not targets or not all(map(str.strip, targets)):
        raise click.UsageError(f"give {'the ids of jobs' if action == 'revoke' else 'queues'}")
    for name in targets if action == "pause" else ():
        await _warn_of_queue(context, name)
    what, do, summary = _ACTIONS["terminate" if terminate else action]
    done = {name: await context.noted(what, name, partial(do, context.redis, name), summary) for name in targets}
    code = UNAVAILABLE if of_workers and not all(done.values()) else 0
    if action == "revoke" and {"PENDING", "RETRY", "STARTED"}.isdisjoint(done.values()):
        code = 1
    return Answer(done, [f"{name}: {summary(result)}" for name, result in done.items()], code=code)


@click.command("purge")
@queue_option
@click.option("--scheduled", is_flag=True, help="ETA jobs, retries, workflows and their members too.")
@command_body
@where_options
async def purge_command(context: Context, queues: tuple[str, ...], scheduled: bool, many: Many, force: bool) -> Answer:
    """End the due jobs of all queues, or of some, or with --where all that wait and match, as REVOKED. What runs is
    left alone."""
    if many:
        return await many("purge")
    names = await context.queues(queues)
    target = cut(printable(", ".join(names)), 200)
    found = await monitor.purgeable(context.redis, names)
    click.echo(
        f"In {target}: {count(found.due, 'due job')}, {found.scheduled:,} scheduled "
        f"(ETA jobs, retries, workflows){'' if scheduled else ', which stay without --scheduled'}.",
        err=True,
    )
    n = found.due + (found.scheduled if scheduled else 0)
    if n and not force:
        click.confirm(f"End {count(n, 'job')}?", abort=True, err=True)
    what = "purge with scheduled" if scheduled else "purge"

    async def end() -> int:
        queues = [monitor.purge_queue(context.redis, name, scheduled, found) for name in names]
        return sum([ended for steps in queues async for ended in steps])

    purged = await context.noted(what, target, end, lambda n: f"{n:,} jobs ended")
    data = {"due": found.due, "scheduled": found.scheduled, "purged": purged, "queues": names}
    return Answer(data, [f"Purged {count(purged, 'job')}."])


@click.command("retry")
@click.argument("job_id", metavar="[ID]", required=False)
@click.option("--set", "changes", multiple=True, metavar="NAME=JSON", help="With another argument; any state will do.")
@command_body
@where_options
async def retry_command(
    context: Context, job_id: str | None, changes: tuple[str, ...], many: Many, force: bool, **_: Any
) -> Answer:
    """Run a failed or revoked job again, under a new id that is printed; a workflow, or a job with steps, goes on from
    what failed, under its own. With --where, all that match."""
    if many and not (job_id or changes):
        return await many("retry")
    if many or not job_id:
        raise click.UsageError("give the ID of a job, or --where" + (" without --set" if changes else ""))
    run = partial(monitor_site.run_again, changes=changes, sure=force) if changes else monitor.retry
    what = "edit and run again" if changes else "retry"
    new = await context.noted(what, job_id, partial(run, context.redis, job_id), "runs as {}".format)
    return Answer({"id": new, "retry_of": job_id}, [new])


@click.command("move")
@click.option("--to", required=True, metavar="QUEUE", help="Where they are to wait.")
@command_body
@where_options
async def move_command(context: Context, to: str, many: Many, **_: Any) -> Answer:
    """Have all jobs that wait and match --where wait in another queue, as long as they would have."""
    if many is None:
        raise click.UsageError("give --where, such as --where 'queue:default task:shop.*'")
    await _warn_of_queue(context, to)
    return await many("move", queue=to)


@click.command("limits")
@click.argument("task")
@click.argument("limit", required=False)
@click.option("-k", "--key", default="", metavar="KEY", help="For jobs with these values alone, such as tenant_id=7.")
@command_body
async def limits_command(context: Context, task: str, limit: str | None, key: str) -> Answer:
    """The limits of a task, and of keys where most jobs wait or something is set. With LIMIT, change one for all
    workers: 5 (at a time), 10/s, declared, pause or resume."""
    checks.name("TASK", task)
    if limit == "":
        raise click.UsageError("give a LIMIT: 5, 10/s, declared, pause or resume")
    own = await monitor.limit_key(context.redis, task, key)
    if limit is not None:
        await warn_of_task(context, task, "the limit")
        change = partial(monitor.change_limit, context.redis, task, own, "" if limit == "declared" else limit)
        await context.noted("change limit", task, change, lambda _: f"{monitor.shown_key(own) or 'all jobs'}: {limit}")
    found = await monitor.limit_list(context.redis, task, own if key or limit is not None else None)
    return Answer(found, [one.line for one in found])


async def warn_of_task(context: Context, task: str, what: str) -> None:
    """It may be misspelt: a warning says so, and *what* was asked for is done."""
    if not (registry.find(task) or any(task in worker.tasks for worker in await monitor.workers(context.redis))):
        click.echo(f"Warning: no task or worker here knows {task!r}; {what} waits for one that does.", err=True)


async def _warn_of_queue(context: Context, queue: str) -> None:
    if queue not in await context.queues(()):
        click.echo(f"Warning: no worker here serves {queue!r}, and nothing waits there.", err=True)


def _revoked(state: str, running: str) -> str:
    known = {"STARTED": running, "PENDING": "revoked", "RETRY": "revoked", "UNKNOWN": "UNKNOWN"}
    return known.get(state, f"had ended: {state}")


_ACTIONS: dict[str, tuple[str, Callable[[JobsRedis, str], Awaitable[Any]], Callable[[Any], str]]] = {
    "revoke": ("revoke", monitor.revoke, partial(_revoked, running="runs, and will not be retried")),
    "terminate": ("terminate", partial(monitor.revoke, terminate=True), partial(_revoked, running="is being stopped")),
    "pause": ("pause queue", monitor.pause, ("was paused already", "paused").__getitem__),
    "resume": ("resume queue", monitor.resume, ("was not paused", "resumed").__getitem__),
    "quiet": ("quiet worker", monitor.quiet, ("does not listen", "OK").__getitem__),
    "shutdown": ("stop worker", monitor.shutdown, ("does not listen", "OK").__getitem__),
}
"""What each is called in the audit, what does it, and how its result reads."""


async def _rate_limit(context: Context, words: tuple[str, ...]) -> Answer:
    if len(words) != 2:
        raise click.UsageError("give a task and its rate: control rate_limit app.mail 10/m")
    task, rate = words
    checks.name("TASK", task)
    await warn_of_task(context, task, "the rate")
    limit = partial(monitor.set_rate_limit, context.redis, task, None if rate == "none" else rate)
    await context.noted("change rate limit", task, limit, lambda _: rate)
    return Answer({"task": task, "rate_limit": rate}, [f"{task}: {rate}"])

"""`jobs`, `errors`, `queues`, `tasks` and `versions`: what a query finds, what fails, and the numbers that say why."""

from functools import partial

import click

from .. import monitor, monitor_site
from ..values.short_text import count, duration_text, time_text
from .frame import Answer, Context, command_body, limit_option, local_zone

PATIENCE_S = 10.0


@click.command("jobs")
@click.argument("words", nargs=-1, metavar="[QUERY]")
@limit_option("Jobs", 50)
@command_body
async def jobs_command(context: Context, words: tuple[str, ...], limit: int) -> Answer:
    """The jobs that fit every word: 'task:shop.* state:failed customer_id:4711 took:>2s since:1h sort:took', or any
    text. Times of day are local. See the query line in docs/monitoring.md."""
    query, zone = monitor_site.parse(" ".join(words)), local_zone()
    wanted = query.wanted(await monitor.now(context.redis), zone)
    page = await monitor.find(context.redis, wanted, limit=limit, patience_s=PATIENCE_S)
    lines = []
    for row in page.rows:
        took = "" if row.run_s is None else duration_text(row.run_s)
        when = time_text(row.finished or row.started or row.due)
        words_of = (row.id, when, row.state, f"{row.task or '?'}({row.args})", took, row.error)
        lines.append("  ".join(filter(None, words_of)))
    more = f", and more behind {time_text(page.looked_back_to)}" if page.looked_back_to else ""
    hint = "" if lines else await monitor_site.search_hint(context.redis, query)
    return Answer(page.rows, lines, [f"{count(len(lines), 'job')}{more}.", *filter(None, [hint])])


@click.command("errors")
@click.argument("error_id", required=False, metavar="[ID]")
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="30m, 6h, 14:00; at most 3d.")
@click.option("--state", type=click.Choice(["open", "resolved", "ignored", "all"]), default="open", show_default=True)
@click.option("--sort", type=click.Choice(["count", "last", "first"]), default="count", show_default=True)
@click.option("--resolve", "to", flag_value="resolved", help="Of ID: gone until it fails again.")
@click.option("--ignore", "to", flag_value="ignored", help="Of ID: gone for good, or see --above.")
@click.option("--reopen", "to", flag_value="open", help="Of ID: neither of them.")
@click.option("--above", type=click.IntRange(0), default=0, metavar="N", help="Ignore up to N failures a minute.")
@command_body
async def errors_command(
    context: Context, error_id: str | None, since: str, state: str, sort: str, to: str | None, above: int
) -> Answer:
    """What failed, a line for each group of attempts that failed in the same way; or one with its latest jobs."""
    if (to is not None and error_id is None) or (above and to != "ignored"):
        raise click.UsageError("--resolve, --ignore and --reopen go with an ID, --above with --ignore")
    window = monitor_site.span_of(since, await monitor.now(context.redis), local_zone())
    if error_id is None:
        found = await monitor_site.errors(context.redis, since=window, state=state, sort=sort)
        lines = [f"{one.id}  {one.count:,}  {_line(one)}" for one in found]
        n = sum(one.count for one in found)
        return Answer(found, lines, [f"{count(len(found), 'error')}, {count(n, 'failed attempt')}."])
    if to is not None:
        mark = partial(monitor_site.mark_error, context.redis, error_id, to, above)
        await context.noted(f"error {to}", error_id, mark, lambda done: "done" if done else "unknown")
    group = await monitor_site.error(context.redis, error_id, window)
    if group is None:
        raise click.ClickException(f"no error {error_id!r}: there was none, or 1,000 others came since")
    jobs = await monitor.rows_of(context.redis, list(group.jobs))
    times = f"first {time_text(group.first)}  last {time_text(group.last)}"
    lines = [f"{group.id}  {_line(group)}", f"{group.count:,} of {count(group.total, 'failed attempt')}  {times}"]
    return Answer({**vars(group), "jobs": jobs}, [*lines, *(f"{job.id}  {job.state}  {job.error}" for job in jobs)])


def _line(group: monitor_site.ErrorGroup) -> str:
    back = f"came back {time_text(group.came_back)}" if group.came_back else ""
    return "  ".join(filter(None, (group.state, group.task, f"{group.type}: {group.message}", group.place, back)))


@click.command("queues")
@command_body
async def queues_command(context: Context) -> Answer:
    """Every queue: what waits there, whether that grows, when it will be done, and who paused it."""
    found = await monitor_site.queue_forecasts(context.redis)
    return Answer(found, [one.line for one in found])


@click.command("tasks")
@click.option("--sort", type=click.Choice(["name", *monitor_site.SORTS]), default="name", show_default=True)
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="30m, 6h, 14:00; at most 3d.")
@command_body
async def tasks_command(context: Context, sort: str, since: str) -> Answer:
    """Every task: its jobs, how long they ran, and its share of all run time. --sort shows the most of it first."""
    span = monitor_site.span_of(since, await monitor.now(context.redis), local_zone())
    found = await monitor_site.tasks(context.redis, max(round(span.total_seconds() / 60), 1), sort)
    return Answer(found, [one.line for one in found])


@click.command("versions")
@click.argument("version", required=False, default="")
@command_body
async def versions_command(context: Context, version: str) -> Answer:
    """The versions that workers reported, and each task before and since the newest, or VERSION, the worst first."""
    known, found = await monitor_site.versions(context.redis), await monitor_site.compare(context.redis, version)
    if version and found is None:
        raise click.ClickException(f"no worker has reported the version {version!r}")
    lines = [f"{one.name}: since {time_text(one.since)}" for one in known]
    return Answer({"versions": known, "compared": found}, [*lines, *(found.lines if found else [])])

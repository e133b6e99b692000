"""`errors`: what fails, in groups; one of them; and what an operator says of it."""

from functools import partial

import click

from .. import monitor, monitor_site
from ..values.short_text import count, time_text
from .frame import Answer, Context, command_body


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
    window = monitor_site.span_of(since, await monitor.now(context.redis))
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

"""`queues`, `tasks` and `versions`: where queues go, what tasks cost, and what a new version has changed."""

import click

from .. import monitor, monitor_site
from ..values.short_text import time_text
from .frame import Answer, Context, command_body


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
    """Every task: how many jobs succeeded and failed, how long they ran, and its share of all run time.

    --sort by anything but name shows the most first; time is all that they ran together.
    """
    at = await monitor.now(context.redis)
    minutes = (at - (monitor_site.parse(f'since:"{since}"').wanted(at).since or at)).total_seconds() / 60
    found = await monitor_site.tasks(context.redis, max(round(minutes), 1), sort)
    return Answer(found, [one.line for one in found])


@click.command("versions")
@click.argument("version", required=False, default="")
@command_body
async def versions_command(context: Context, version: str) -> Answer:
    """The versions that workers reported, and each task before and since the newest, or since VERSION.

    What became worst comes first. Both times are equally long: since the version, six hours at most.
    """
    known, found = await monitor_site.versions(context.redis), await monitor_site.compare(context.redis, version)
    if version and found is None:
        raise click.ClickException(f"no worker has reported the version {version!r}")
    lines = [f"{one.name}: since {time_text(one.since)}" for one in known]
    changes = [f"  {one.line}" for one in found.changes] if found else []
    heading = [f"{found.minutes:,} minutes before and since {found.version.name}:"] if found else []
    return Answer({"versions": known, "compared": found}, [*lines, *heading, *changes])

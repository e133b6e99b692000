"""`purge`: end what waits in the queues."""

from __future__ import annotations

import click

from jobs.commands.frame import Answer, Asked, asks, queue_option
from jobs.commands.show import count, words
from jobs.control import purge, purgeable


@click.command("purge")
@queue_option
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--scheduled", is_flag=True, help="ETA jobs, retries, workflows and their members too.")
@asks
async def command(asked: Asked, queues: tuple[str, ...], force: bool, scheduled: bool) -> Answer:
    """End the due jobs of all queues, or of some, as REVOKED. What runs is left alone."""
    names = await asked.queues(queues)
    found = await purgeable(asked.redis, names)
    click.echo(
        f"In {words(names)}: {count(len(found.due), 'due job')}, {len(found.scheduled):,} scheduled "
        f"(ETA jobs, retries, workflows){'' if scheduled else ', which stay without --scheduled'}.",
        err=True,
    )
    ids = found.due + (found.scheduled if scheduled else [])
    if ids and not force:
        click.confirm(f"End {count(len(ids), 'job')}?", abort=True, err=True)
    what = "purge with scheduled" if scheduled else "purge"
    purged = await asked.noted(
        what, words(names), lambda: purge(asked.redis, ids), lambda n: f"{n:,} jobs ended"
    )
    data = {"due": len(found.due), "scheduled": len(found.scheduled), "purged": purged, "queues": names}
    return Answer(data, [f"Purged {count(purged, 'job')}."])

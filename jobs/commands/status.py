"""`status`: which workers are online."""

from __future__ import annotations

import click

from jobs.commands.frame import Answer, Asked, asks
from jobs.commands.show import count


@click.command("status")
@asks
async def command(asked: Asked) -> Answer:
    """Which workers are online; exit code 69 if none is."""
    workers = await asked.workers()
    lines = [f"{worker.name}: OK{' (quiet)' if worker.quiet else ''}" for worker in workers]
    data = [{"name": worker.name, "quiet": worker.quiet, "queues": worker.queues} for worker in workers]
    return Answer(data, lines, [f"{count(len(workers), 'node')} online."])

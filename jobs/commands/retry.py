"""`retry`: run a failed job again."""

from __future__ import annotations

import click

from jobs.commands.frame import Answer, Asked, asks
from jobs.control import retry


@click.command("retry")
@click.argument("job_id", metavar="ID")
@asks
async def command(asked: Asked, job_id: str) -> Answer:
    """Run a failed or revoked job again, under a new id that is printed; a workflow goes on from what failed."""
    new = await asked.noted("retry", job_id, lambda: retry(asked.redis, job_id), lambda new: f"runs as {new}")
    return Answer({"id": new, "retry_of": job_id}, [new])

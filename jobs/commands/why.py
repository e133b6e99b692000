"""`why`: why a job has not started."""

from __future__ import annotations

import click

from jobs.commands.frame import Answer, Asked, asks
from jobs.why import why


@click.command("why")
@click.argument("job_id", metavar="ID")
@asks
async def command(asked: Asked, job_id: str) -> Answer:
    """Why a job has not started: every reason there is. Exit code 1 for an id that nobody knows."""
    reasons = await why(asked.redis, job_id)
    data = [{"code": reason.code, "text": reason.text, "until": reason.until} for reason in reasons]
    unknown = reasons[0].code == "unknown"
    return Answer(data, [f"{job_id}: {reason.text}" for reason in reasons], code=int(unknown))

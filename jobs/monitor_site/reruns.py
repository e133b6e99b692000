"""A job and its reruns: `<id>~2`, `<id>~3` and so on are jobs of their own, and their ids say of which they are."""

from ..client.connection import JobsRedis
from .model.actions import numbered
from .model.job_row import JobRow
from .model.search import rows_of

MOST = 20  # Reruns of a job that are looked for.


def original_of(job_id: str) -> str:
    """The job that `<id>~n` runs again; the id itself if it is none of these."""
    return numbered(job_id)[0]


async def reruns_of(connection: JobsRedis, job_id: str) -> list[JobRow]:
    """The job that was called first, and those that ran it again, as far as they are known; one alone if none did.
    *job_id*: any of them."""
    original = original_of(job_id)
    return await rows_of(connection, [original, *(f"{original}~{n}" for n in range(2, MOST + 2))])

"""What Kubernetes' readiness probe asks a worker's port: does this worker take jobs?"""

from collections.abc import Callable, Sequence

from ..client.connection import JobsRedis
from ..worker.lease_renewer import Statistics
from .port import Answer


async def answer(query: str, redis: JobsRedis, queues: Sequence[str], statistics: Callable[[], Statistics]) -> Answer:
    """200 if it does, else 503 with every reason why not. Errors are those of the connection."""
    worker = statistics()
    reasons = {
        "has not started: it waits for Redis, or its on_startup runs": not worker.name,
        "is quiet, as an operator asked": worker.quiet,
        "is stopping": worker.stopping,
    }
    if why := [reason for reason, holds in reasons.items() if holds]:
        return Answer(503, f"this worker {' and '.join(why)}")
    await redis.ping()
    return Answer(200, "ready")

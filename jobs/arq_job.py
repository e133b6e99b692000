"""arq's handle to a job, for those who call `enqueue_job`: ours is `Result`."""

from __future__ import annotations

from arq.jobs import Job

from jobs.errors import TaskRevoked


class ArqJob(Job):
    """`arq.jobs.Job`, which takes a revoked job for an aborted one."""

    async def abort(self, *, timeout: float | None = None, poll_delay: float = 0.5) -> bool:  # noqa: ASYNC109
        """Stop the job wherever it is; True once that is done, False if it had ended by itself."""
        try:
            return await super().abort(timeout=timeout, poll_delay=poll_delay)
        except TaskRevoked:
            return True

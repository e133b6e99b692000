"""arq's worker, for a plain ArqRedis: nothing of ours is on, but a freed slot is used at once."""

import asyncio
import contextlib
from typing import Any

import arq.worker


class PlainWorker(arq.worker.Worker):
    """As arq's, but a full worker looks for more at once: arq's waits for its next poll."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._slot_freed = asyncio.Event()

    async def run_job(self, job_id: str, score: int) -> None:
        try:
            await super().run_job(job_id, score)
        finally:
            self._slot_freed.set()

    async def _poll_iteration(self) -> None:
        await super()._poll_iteration()
        if self.job_counter >= self.max_jobs and not self.burst:
            self._slot_freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self._slot_freed.wait()
            await super()._poll_iteration()

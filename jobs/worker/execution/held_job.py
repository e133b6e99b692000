"""A job that this worker holds: from its claim until its outcome is recorded."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from contextvars import Context
from dataclasses import dataclass, field

from ...client.connection import JobsRedis
from ...errors import QueueUnavailable, WrongValue
from ...store import scripts
from ...tasks.call_options import check_headers
from ...tasks.current import CurrentJob
from .claimed_job import CallData, ClaimedJob, Outcome
from .slots import Slot

logger = logging.getLogger("arq.worker.jobs")

UNKNOWN = CallData("<unknown>")


@dataclass(slots=True, eq=False)
class HeldJob:
    """What the engine, the run path and the recorder know of one held job."""

    job: ClaimedJob
    slot: Slot
    _redis: JobsRedis
    executor: Executor | None
    call: CallData = UNKNOWN
    sent: bytes = b""
    """The bytes of the call, if they were decoded: they are kept, as the task may change its arguments."""
    unpickled: CallData | None = None
    """The call with the arguments that only pickle can carry; `call` has what is kept and shown of them."""
    current: CurrentJob | None = None
    outcome: Outcome | None = None
    task: asyncio.Task[None] | None = None
    block: list["HeldJob"] = field(default_factory=list)
    """Jobs that are announced with it."""
    announced: bool = False
    """Its first line is logged."""
    refusal: Outcome | None = None
    """Why it is not started, once it is announced."""
    context: Context | None = None
    """That of its run, where somebody reports failures: see `contrib.sentry`."""
    stopped: str = ""
    """Why we cancelled it: shutdown, revoked, lost; '' if we did not."""

    async def report(self, meta: bytes) -> None:
        """Store the job's progress. A job does not fail because Redis is away."""
        try:
            await self._redis.run_script(scripts.PROGRESS, self.job.id, self.job.token, meta)
        except QueueUnavailable as error:
            logger.warning("job %s: its progress is not stored: %s", self.job.id, error)

    @property
    def headers(self) -> Mapping[str, str]:
        """What its callbacks inherit: as its code left them, if that ran and left them right."""
        if self.current is not None:
            with contextlib.suppress(TypeError, WrongValue):
                return check_headers("self.headers", self.current.headers)
        return self.call.headers

    @property
    def thread(self) -> asyncio.Future[object] | None:
        """The thread that still runs its code, if there is one."""
        thread = self.current.thread if self.current is not None else None
        return thread if thread is not None and not thread.done() else None

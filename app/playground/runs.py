"""The progress of an example's run, for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs import Result

ENDED = ("SUCCESS", "FAILURE", "REVOKED")
LONGEST_SHOWN = 200  # characters of a result


@dataclass(frozen=True)
class Run:
    """The progress of one job or workflow. `done` of `total` members have finished. `total` is 0 for a single job."""

    id: str
    state: str
    retries: int
    done: int
    total: int
    result: str

    @property
    def ended(self) -> bool:
        return self.state in ENDED


async def read(job_id: str) -> Run | None:
    """The progress of this job; None if its record has expired."""
    job = Result(job_id)
    if await job.state() == "UNKNOWN":
        return None
    info = await job.info()
    progress: dict[str, int] = await job.meta() or {}
    result = _shown(await job.get(timeout=1, propagate=False)) if info.state in ENDED else ""
    return Run(
        id=job_id,
        state=info.state,
        retries=info.retries,
        done=progress.get("done", 0),
        total=progress.get("total", 0),
        result=result,
    )


def _shown(value: Any) -> str:
    text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"

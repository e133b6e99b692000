"""Where queues go, what a version changed, and what is stuck."""

from __future__ import annotations

from typing import Annotated

from ... import forecasting, seen_versions, stuck
from ...options import redis
from ...ranges import PATIENCE_S
from ...request_args import not_found
from ..answers import Rows
from ..endpoints import read
from ..given import Given

Version = Annotated[str, Given("Of this version; '' is the newest.", 100)]


@read("/forecasts")
async def forecasts() -> Rows[forecasting.Forecast]:
    """Every queue: whether its backlog grows, when it is done, how many slots are missing, and who paused it."""
    return Rows(await forecasting.queue_forecasts(redis()))


@read("/versions")
async def versions() -> Rows[seen_versions.Version]:
    """The versions of the application's code that workers reported, the newest first."""
    return Rows(await seen_versions.versions(redis()))


@read("/comparison")
async def comparison(version: Version = "") -> seen_versions.Comparison | None:
    """Each task before and since a version, in two times of equal length; what became worst comes first. Nothing while
    no worker has reported one."""
    found = await seen_versions.compare(redis(), version, PATIENCE_S)
    return not_found() if version and found is None else found


@read("/long-runs")
async def long_runs() -> Rows[stuck.LongRun]:
    """Running jobs that run for more than three times the p95 of their task, the longest running first."""
    return Rows(await stuck.long_runs(redis()))


@read("/lost-workers")
async def lost_workers() -> Rows[stuck.LostWorker]:
    """Workers that went without a goodbye within the last hour, and what they held."""
    return Rows(await stuck.lost_workers(redis()))

"""The page of metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from quart import Blueprint

from app.accounts import or_metrics_token, owner_only
from app.context import redis
from app.health.readiness import Part, check
from app.metrics import mails
from jobs.contrib import prometheus

PATIENCE_S = 5

logger = logging.getLogger(__name__)
blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@or_metrics_token
@owner_only
async def show() -> tuple[str, dict[str, str]]:
    """All metrics. A part that is away has no figures and a 0 in `quarq_up`. The others are reported."""
    parts = {part.name: part for part in await check()}
    families = [_up(parts)]
    for name, measure in ("redis", _of_jobs), ("database", mails.measured):
        if not parts[name].fault:
            families += await _measured(name, measure)
    return prometheus.written(families), {"Content-Type": prometheus.CONTENT_TYPE, "Cache-Control": "no-store"}


def _up(parts: dict[str, Part]) -> Metric:
    up = GaugeMetricFamily("quarq_up", "1 if this part of the site is as /readyz wants it.", labels=["part"])
    for name, part in parts.items():
        up.add_metric([name], not part.fault)
    return up


async def _of_jobs() -> list[Metric]:
    return await prometheus.of_jobs(redis())


async def _measured(name: str, measure: Callable[[], Awaitable[list[Metric]]]) -> list[Metric]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await measure()
    except Exception as error:  # it went away after the check
        logger.warning("no metrics of %s: %s", name, error)
        return []

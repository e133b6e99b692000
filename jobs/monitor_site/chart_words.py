"""What pages with charts have in common: the time that is looked at, the marks of versions, links to the jobs of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from quart import request

from .options import redis
from .ranges import HOUR, RANGES, Interval, Range, history
from .routes import blueprint
from .seen_versions import versions
from .shell import find_url
from .wording import for_field


def chosen_range() -> Range:
    """The one that the address names; an hour if it names none that there is."""
    return RANGES.get(request.args.get("within", ""), HOUR)


async def charts(within: Range, task: str = "", intervals: list[Interval] | None = None) -> dict[str, Any]:
    """What `monitor/charts.html` draws. *intervals*: if they are known already."""
    found = await history(redis(), within, task) if intervals is None else intervals
    return {"within": within.name, "intervals": found, "versions": await versions(redis())}


@blueprint.app_template_global()
def ranges() -> list[str]:
    return list(RANGES)


@blueprint.app_template_global()
def jobs_between(interval: Interval, task: str = "") -> str:
    """The address of the list of jobs of this time, of one task or of all."""
    end = interval.at + timedelta(minutes=interval.minutes)
    return find_url(since=for_field(interval.at), until=for_field(end), task=task)

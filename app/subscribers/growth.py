"""How many subscribers confirmed and left: in each week, and by a link of each issue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.subscribers.models import Kind, Movement

WEEKS = 12


@dataclass(frozen=True)
class Week:
    """One week, from Monday."""

    monday: date
    confirmed: int
    left: int


async def by_week(db: AsyncSession, zone: ZoneInfo, now: datetime) -> list[Week]:
    """The last 12 weeks, this one first."""
    today = now.astimezone(zone).date()
    this_monday = today - timedelta(days=today.weekday())
    mondays = [this_monday - timedelta(weeks=n) for n in range(WEEKS)]
    begins = [datetime.combine(monday, time(), tzinfo=zone).astimezone(UTC) for monday in mondays]
    week = case(*((Movement.at >= moment, n) for n, moment in enumerate(begins)), else_=WEEKS).label("week")
    query = select(week, Movement.kind, func.count()).where(Movement.at >= begins[-1]).group_by("week", Movement.kind)
    counts = {(n, kind): count for n, kind, count in await db.execute(query)}
    return [
        Week(monday, counts.get((n, Kind.CONFIRMED), 0), counts.get((n, Kind.LEFT), 0))
        for n, monday in enumerate(mondays)
    ]


async def left_by_issue(db: AsyncSession, numbers: Collection[int]) -> dict[int, int]:
    """How many left by a link of each of these issues."""
    query = select(Movement.issue, func.count()).where(Movement.kind == Kind.LEFT, Movement.issue.in_(numbers))
    return {number: count for number, count in await db.execute(query.group_by(Movement.issue)) if number is not None}

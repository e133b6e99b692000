"""Metrics of mails, from SQL: how many are in each state, and the age of unfinished digests."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from app import database
from app.digest.models import Delivery, Digest, Step
from app.digest.models import State as DigestState
from app.reminders.models import Reminder, State

UNDER_WAY = Digest.state.in_((DigestState.PLANNED, DigestState.SENDING, DigestState.PAUSED))


async def measured() -> list[Metric]:
    """Reminders by state, mails of unfinished digests by state, and the age of the oldest such digest."""
    about = "Reminders, and mails of digests under way, by state."
    mails = GaugeMetricFamily("quarq_mails", about, labels=["kind", "state"])
    of_digests = select(Delivery.step, func.count()).join(Digest, Delivery.digest_id == Digest.id).where(UNDER_WAY)
    async with database.session() as db:
        reminders = await db.execute(select(Reminder.state, func.count()).group_by(Reminder.state))
        by_state = {state: n for state, n in reminders}
        by_step = {step: n for step, n in await db.execute(of_digests.group_by(Delivery.step))}
        oldest = await db.scalar(select(func.min(Digest.created_at)).where(UNDER_WAY))
    for state in State:
        mails.add_metric(["reminder", state], by_state.get(state, 0))
    for step in Step:
        mails.add_metric(["digest", step], by_step.get(step, 0))
    age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0
    about = "Age of the oldest unfinished digest; 0: none."
    return [mails, GaugeMetricFamily("quarq_digest_unfinished_seconds", about, age_s)]

"""An order as its job has recorded it. Nothing else is stored of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.accounts import Account
from app.context import redis
from app.playground.runs import ENDED
from jobs import Result, monitor

ANSWER_WITHIN = timedelta(days=7)
KEPT = timedelta(days=1)
"""How long its record is kept once it has ended."""
PATIENCE_S = 3
EVENT = "event:approval#1"
"""The step that waits for the answer."""
APPROVED = "{'approved': True"
"""What the value of an event begins with that approves, as steps show it."""


@dataclass(frozen=True)
class Step:
    """One line of the page. `state`: todo, waiting, done, failed or timed-out."""

    title: str
    state: str
    began: datetime | None


@dataclass(frozen=True)
class Order:
    """`state` is that of its job; `outcome` what the job returned: sent, rejected, unanswered, unasked, or ""."""

    job_id: str
    number: int
    state: str
    outcome: str
    rows: dict[str, monitor.StepRow]

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def answer(self) -> monitor.StepRow | None:
        """The event, if it has come."""
        row = self.rows.get(EVENT)
        return row if row is not None and row.state == "done" else None

    @property
    def approved(self) -> bool:
        return self.answer is not None and self.answer.value.startswith(APPROVED)

    @property
    def until(self) -> datetime | None:
        """Until when it waits for the answer; None if it does not."""
        row = self.rows.get(EVENT)
        return row.until if row is not None and row.state == "waiting" and not self.ended else None

    @property
    def shown_state(self) -> str:
        if self.ended:
            return self.outcome or self.state
        return "waiting" if self.until else "running"

    @property
    def steps(self) -> list[Step]:
        wanted = {
            "step:charge": "Charge the card",
            f"run:label[{self.number}]": "Print the label",
            f"run:ask[{self.number}]": "Email you",
            EVENT: "Wait for your answer",
        }
        if "step:refund" in self.rows:
            wanted["step:refund"] = "Refund the payment"
        return [_step(title, self.rows.get(field)) for field, title in wanted.items()]


def job_id(account: Account) -> str:
    """One order of an account at a time, so its job needs no other name."""
    return f"order:{account.id}:{int(account.created_at.timestamp())}"


async def read(account: Account) -> Order | None:
    """The order of this account; None if it has none, or its record has ended. TimeoutError: Redis does not answer."""
    job, connection = Result(job_id(account)), redis()
    async with asyncio.timeout(PATIENCE_S):
        state = await job.state()
        call = await monitor.call_of(connection, job.id)
        if state == "UNKNOWN" or call is None or len(call.args) != 2:
            return None
        rows = {row.field: row for row in await monitor.steps(connection, job.id)}
        outcome = str(await job.get(timeout=1)) if state == "SUCCESS" else ""
    return Order(job.id, int(call.args[1]), state, outcome, rows)


def _step(title: str, row: monitor.StepRow | None) -> Step:
    return Step(title, row.state, row.began) if row else Step(title, "todo", None)

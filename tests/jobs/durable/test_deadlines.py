"""A deadline of the code around a wait never passes, as the run ends before: it is refused."""

from __future__ import annotations

import pytest

from jobs import QuarqError
from tests.jobs.durable.conftest import Outcome
from tests.jobs.durable.durable_tasks import deadline


@pytest.mark.parametrize("kind", ["scope", "wait_for", "gather"])
async def test_a_deadline_around_a_wait_is_refused(outcome: Outcome, kind: str) -> None:
    error = await outcome(deadline, kind, days=1)

    assert isinstance(error, QuarqError)
    assert "a deadline of the code around a wait" in str(error)


@pytest.mark.parametrize("kind", ["step", "over", ""])
async def test_one_elsewhere_is_not(outcome: Outcome, kind: str) -> None:
    assert await outcome(deadline, kind, days=1) == "late"

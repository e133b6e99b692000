"""A workflow that fails because of its members: each failure is logged, counted and listed once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from jobs import Result, chain, chord, group, monitor, monitor_site, signature
from jobs.client.connection import JobsRedis
from jobs.monitor_site.model.counters import totals
from jobs.worker import Worker
from jobs.workflows.canvas import Node
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log
from tests.waiting import wait_until

BY_MEMBERS: dict[str, tuple[Callable[[], Node], int]] = {
    "group": (lambda: group(log.s(1), fail.s("one")), 1),
    "two of a group": (lambda: group(fail.s("one"), log.s(1), fail.s("two")), 2),
    "chain": (lambda: chain(log.s(1), fail.si("one"), log.s()), 1),
    "header": (lambda: chord([fail.s("one"), log.s(1)], log.s()), 1),
    "body": (lambda: chord([log.s(1)], fail.si("one")), 1),
    "nested": (lambda: group(log.s(1) | group(fail.si("one"), log.s()) | log.s(), log.s(2)), 1),
    "told": (lambda: group(fail.s("one")).on_error(log.si("told")), 1),
}
BY_ITSELF: dict[str, Callable[[], Node]] = {
    "a chord without a body": lambda: chain(log.s(1), chord([log.s()])),
    "a call that its task does not take": lambda: chain(log.s(1), log.s(2)),
}


@pytest.mark.parametrize("shape", BY_MEMBERS)
async def test_what_a_member_does_is_told_once(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture, shape: str
) -> None:
    build, failures = BY_MEMBERS[shape]
    worker = await start_worker()

    result = await build().delay()

    with pytest.raises(ValueError, match="one"):
        await result.get(timeout=5)
    assert await result.state() == "FAILURE"
    await wait_until(lambda: _is_idle(worker), "the last callback to end")
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == failures
    assert caplog.text.count("Traceback (most recent call last)") == failures
    counted = await totals(connection)
    assert [counted[name].states["FAILURE"] for name in ("", "tests.fail")] == [failures, failures]
    assert worker.statistics().counts["FAILURE"] == failures
    failed = await _find(connection, state="FAILURE")
    assert [(row.task, row.parent) for row in failed] == [("tests.fail", result.id)] * failures
    for state in ("FAILURE", "ended", ""):  # whoever asks for workflows gets it
        [found] = await _find(connection, state=state, task="jobs.workflow")
        assert (found.id, found.state) == (result.id, "FAILURE")
    assert [row.state for row in (await monitor_site.workflows(connection)).rows] == ["FAILURE"]


@pytest.mark.parametrize("shape", BY_ITSELF)
async def test_what_a_workflow_does_by_itself_is_its_own_failure(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture, shape: str
) -> None:
    worker = await start_worker()

    result = await BY_ITSELF[shape]().delay()

    assert isinstance(await result.get(timeout=5, propagate=False), Exception)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert (await totals(connection))["jobs.workflow"].states["FAILURE"] == 1
    assert worker.statistics().counts["FAILURE"] == 1
    assert [row.id for row in await _find(connection, state="FAILURE")] == [result.id]


async def test_a_member_that_never_ran_leaves_the_failure_to_its_workflow(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    """What expired or was revoked is no failure: the first one is the workflow's."""
    await start_worker()

    result: Result = await group(log.s(1), signature("tests.log", (2,), expires=0)).delay()

    assert isinstance(await result.get(timeout=5, propagate=False), Exception)
    assert (await totals(connection))[""].states["FAILURE"] == 1
    assert [row.id for row in await _find(connection, state="FAILURE")] == [result.id]


def _is_idle(worker: Worker) -> bool:
    return worker.statistics().running == 0


async def _find(connection: JobsRedis, **wanted: Any) -> list[monitor.JobRow]:
    """All jobs that fit. A page ends early, even with none, where Redis takes its time."""
    page = await monitor.find(connection, **wanted)
    rows = page.rows
    while page.next:
        page = await monitor.find(connection, **wanted, cursor=page.next)
        rows += page.rows
    return rows

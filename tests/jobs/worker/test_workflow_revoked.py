"""A workflow that is revoked before it has ended is REVOKED, whatever it is doing then, and no error is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random

import pytest

from jobs import Result, chain, chord, group
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked
from jobs.store.keys import Keys
from jobs.worker import orchestrator
from jobs.workflows.canvas import Node
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import log, nap
from tests.waiting import wait_until

SHAPES: list[Callable[[], Node]] = [
    lambda: group(log.s(n) for n in range(5)),
    lambda: chain(*(log.si(n) for n in range(5))),
    lambda: chord([log.s(1), log.s(2)], log.s()),
    lambda: chain(group(log.s(1), chain(log.s(1), log.s()), log.s(2)), group(log.s(), log.s()), log.s()),
    lambda: group((nap.s(0.003) for _ in range(6)), max_concurrency=2),
    lambda: chain(group(nap.s(0.002), nap.s(0.004)).on_error(log.si("told")), log.s().on_error(log.si("told"))),
    lambda: group(chain(nap.s(0.003), log.s()).on_error(log.si("told")), return_exceptions=True),
    lambda: group(log.s(1), nap.s(0.002)).set(link=log.s(), link_error=log.si("told")),
]


async def test_a_workflow_revoked_at_any_moment_is_revoked(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker()
    rng = Random(4)

    async def one(number: int) -> tuple[str, Result]:
        options = {"task_id": f"revoked {number}"} if number % 3 == 0 else {}
        result = await SHAPES[number % len(SHAPES)]().apply_async(**options)
        await asyncio.sleep(rng.uniform(0, 0.03))
        return await result.revoke(terminate=rng.random() < 0.5), result

    revoked = 0
    for first in range(0, 160, 20):
        for was, result in await asyncio.gather(*(one(number) for number in range(first, first + 20))):
            value = await result.get(timeout=10, propagate=False)
            if was in ("PENDING", "STARTED"):
                revoked += 1
                assert (await result.state(), type(value)) == ("REVOKED", TaskRevoked)
            else:
                assert was == await result.state() == "SUCCESS"
    assert revoked > 20
    await wait_until(lambda: _nothing_left(connection), "nothing to be left")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _nothing_left(connection: JobsRedis) -> bool:
    return await connection.zcard(Keys.QUEUE) == 0


@pytest.mark.parametrize("how", ["revoke", "abort"])
@pytest.mark.parametrize("when", ["waits for members", "parked"])
async def test_a_workflow_that_waits_is_revoked(
    connection: JobsRedis,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    when: str,
    how: str,
) -> None:
    if when == "parked":
        monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
        monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.05)
    await start_worker(lease_renewal=0.2)
    tree = group(chain(nap.s(60), log.s()).on_error(log.si("told")), log.s(1)).set(link_error=log.si("told"))
    result = await tree.delay()
    first, *_ = await result.children()
    await wait_until(lambda: _is(first, "STARTED"), "the first member to run")
    if when == "parked":
        await wait_until(lambda: connection.hexists(Keys.RECORD + result.id, "parked"), "it to be parked")

    if how == "revoke":
        assert await result.revoke() in ("PENDING", "STARTED")
    else:
        for key in (Keys.QUEUE, Keys.ABORT):  # as arq's Job.abort()
            await connection.zadd(key, {result.id: 1})

    with pytest.raises(TaskRevoked):
        await result.get(timeout=5)
    assert await result.state() == "REVOKED"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_message_that_does_not_reach_the_worker_changes_nothing(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that has just claimed a workflow does not know it yet when it hears that it is to stop it."""
    result = await chain(nap.s(0.2), group(log.s(), log.s()).on_error(log.si("told"))).delay()
    await start_worker()
    first, *_ = await result.children()
    await wait_until(lambda: _is(first, "STARTED"), "the first member to run")

    await connection.hset(Keys.RECORD + result.id, "revoked", "terminate")  # as revoke.lua does, and no message

    with pytest.raises(TaskRevoked):
        await result.get(timeout=3)
    assert await result.state() == "REVOKED"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state

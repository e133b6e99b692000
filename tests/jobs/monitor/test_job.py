"""`job`: everything that is known of one job, whatever is left of it."""

from __future__ import annotations

import pytest

from jobs import Result, chain, chord, group, task
from jobs.client.connection import JobsRedis
from jobs.errors import EncodingError
from jobs.monitor import find
from jobs.monitor_site import job, timeline
from jobs.store.keys import Keys
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.registered_tasks import forget


async def test_one_that_waits(connection: JobsRedis) -> None:
    result = await tasks.log.apply_async(("x",), countdown=60)

    found = await job(connection, result.id)

    assert found
    assert (found.state, found.task, found.call.args, found.call.kwargs) == ("PENDING", "tests.log", ["x"], {})
    assert {reason.code for reason in found.reasons} == {"due", "no-worker"}
    assert (found.can_retry, found.can_revoke, found.can_reschedule) == (False, True, True)
    assert found.result is None


async def test_one_that_succeeded(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.apply_async(({"password": "hunter2", "text": "早"},), link=tasks.log.s())
    await result.get(timeout=10)

    found = await job(connection, result.id)

    assert found
    assert found.call.args == [{"password": "***", "text": "早"}]
    assert found.result == "{'password': '***', 'text': '早'}"
    assert found.reasons == []
    assert [child.id for child in found.children] == [f"{result.id}::-1.0"]
    assert (found.can_retry, found.can_revoke, found.can_reschedule) == (False, False, False)


async def test_one_that_failed(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    result = await tasks.flaky.delay(5)
    await reach(result, "FAILURE")

    found = await job(connection, result.id)

    assert found
    assert found.info
    assert found.row
    assert [attempt.outcome for attempt in found.info.history] == ["RETRY", "RETRY", "FAILURE"]
    assert "Traceback" in found.info.history[-1].text
    assert found.error == "KeyError: 'not yet'"
    assert found.can_retry


async def test_one_that_runs(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    result = await tasks.nap.delay(30)
    await reach(result, "STARTED")

    found = await job(connection, result.id)

    assert found
    assert found.reasons == []
    assert (found.can_retry, found.can_revoke, found.can_reschedule) == (False, True, False)


async def test_one_that_keeps_nothing(connection: JobsRedis, start_worker: StartWorker, reach: Reach) -> None:
    @task(name="monitor.forgets", ignore_result=True)
    async def forgets(x: int) -> int:
        return x

    try:
        await start_worker(tasks=[forgets])
        result = await forgets.delay(1)
        await reach(result, "SUCCESS")
        found = await job(connection, result.id)
    finally:
        forget("monitor.forgets")

    assert found
    assert (found.task, found.call) == ("monitor.forgets", None)


async def test_one_whose_record_is_history_no_more(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.delay("x")
    await result.get(timeout=10)
    await connection.delete(Keys.RECORD + result.id)
    await connection.zrem(Keys.HISTORY, result.id)

    found = await job(connection, result.id)

    assert found
    assert (found.state, found.task, found.call.args, found.result) == ("SUCCESS", "tests.log", ["x"], "'x'")
    assert found.info is None
    [row] = (await find(connection, text=result.id)).rows
    assert found.row == row
    assert (row.args, row.finished is not None, row.queue) == ("'x'", True, "default")


async def test_one_whose_result_has_ended(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    result = await tasks.fail.delay()
    await reach(result, "FAILURE")
    await connection.delete(Keys.RESULT + result.id)
    await connection.hset(Keys.RECORD + result.id, "until", 1)

    found = await job(connection, result.id)

    assert found
    assert (found.state, found.call, found.error) == ("FAILURE", None, "ValueError: no luck")
    assert not found.can_retry


async def test_nobody_has_seen_it(connection: JobsRedis) -> None:
    assert await job(connection, "nobody") is None


async def test_a_workflow_and_its_members(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    flow = await (
        tasks.multiply.s(2, 3) | tasks.multiply.s(4) | chord([tasks.multiply.s(5)] * 2, tasks.log.s())
    ).delay()
    await reach(flow, "SUCCESS")

    whole, first, second, member, body = [
        await job(connection, flow.id + path) for path in ("", ":0", ":1", ":2.0.1", ":2.1")
    ]

    assert whole and first and second and member and body  # noqa: PT018
    assert whole.children_count == 5
    assert whole.progress == {"done": 5, "failed": 0, "total": 5}
    assert (first.parent, first.call.args, first.result) == (flow.id, [2, 3], "6")
    assert (second.call.args, second.result) == ([6, 4], "24")
    assert (member.call.args, member.result) == ([24, 5], "120")
    assert (body.call.args, body.result) == ([[120, 120]], "[120, 120]")
    assert not first.can_retry


async def test_a_body_does_not_keep_a_long_list_of_results_once_more(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    flow = await chord([tasks.log.s("x" * 40_000)] * 2, tasks.log.s()).delay()
    await reach(flow, "SUCCESS")

    body = await job(connection, f"{flow.id}:1")

    assert body
    assert str(body.call.args) == "[<results of the step before>]"


async def test_a_workflow_that_failed_can_go_on(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    flow = await group(tasks.fail.s(), tasks.log.s(1)).delay()
    await reach(flow, "FAILURE")

    whole, member = await job(connection, flow.id), await job(connection, f"{flow.id}:0")

    assert whole
    assert member
    assert whole.can_retry
    assert (member.can_retry, member.error) == (False, "ValueError: no luck")


async def test_a_member_that_was_not_called_yet(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    flow = await chain(tasks.nap.s(30), tasks.log.s()).delay()

    found = await job(connection, f"{flow.id}:1")

    assert found
    assert (found.state, found.task, found.parent) == ("", "tests.log", flow.id)
    assert [reason.code for reason in found.reasons] == ["children"]
    assert await Result(f"{flow.id}:1").state() == "UNKNOWN"
    assert await job(connection, f"{flow.id}:2") is None


@pytest.mark.parametrize("stored", [b"", b"\x81", b"nobody's bytes", b"\xc1\xff"])
async def test_bytes_that_are_no_call_are_no_reason_to_fail(connection: JobsRedis, stored: bytes) -> None:
    await connection.set(f"{Keys.JOB}odd", stored)
    await connection.zadd(Keys.QUEUE, {"odd": 2**50})

    found, page = await job(connection, "odd"), await find(connection)

    assert found
    assert found.state == "PENDING"
    assert [row.id for row in page.rows] == ["odd"]
    await connection.delete(f"{Keys.JOB}odd", Keys.QUEUE)


@pytest.mark.parametrize("stored", [b"\x05", b"\xc0", b"\x80", b"\x90", b"\xa1x", b"\x81\xa1s\xc3", b"\xc1"])
async def test_bytes_that_are_no_result_are_no_reason_to_fail(connection: JobsRedis, stored: bytes) -> None:
    await connection.set(f"{Keys.RESULT}odd", stored)
    await connection.set(f"{Keys.TREE}odd", stored)

    found = await job(connection, "odd")

    assert found
    assert found.state == "FAILURE"
    assert await timeline(connection, "odd") is None
    with pytest.raises(EncodingError):
        await Result("odd").get(timeout=1)
    await connection.delete(f"{Keys.RESULT}odd", f"{Keys.TREE}odd")

"""The list of workflows: their names, and what is found by them."""

from __future__ import annotations

import pytest

from jobs import chord, group
from jobs.client.connection import JobsRedis
from jobs.monitor import find, totals
from jobs.monitor_site import workflows
from jobs.store.keys import Keys
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks


async def test_the_list(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    flows = [await group(tasks.log.s(n), tasks.fail.s()).delay() for n in range(5)]
    for flow in flows:
        await reach(flow, "FAILURE")

    first = await workflows(connection, limit=3)
    second = await workflows(connection, cursor=first.next, limit=3)

    rows = first.rows + second.rows
    assert {row.id for row in rows} == {flow.id for flow in flows}
    assert rows == sorted(rows, key=lambda row: (row.called, row.id), reverse=True)
    assert second.next == ""
    assert {(row.state, row.done, row.failed, row.total) for row in first.rows} == {("FAILURE", 2, 1, 2)}
    for cursor in ("-1", "x", "9" * 20):
        with pytest.raises(ValueError, match="take it from the page before"):
            await workflows(connection, cursor=cursor)


async def test_the_list_has_names_and_finds_by_them(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    slow = await (tasks.nap.si(0.3) | tasks.log.si(1)).delay()
    await reach(slow, "SUCCESS")
    failed = await chord([tasks.log.s(1), tasks.fail.s("Bad Gateway")], tasks.multiply.s(2)).delay()
    await reach(failed, "FAILURE")
    later = await group(tasks.multiply.s(n, n) for n in range(3)).apply_async(countdown=60)

    names = {row.id: row.name for row in (await workflows(connection)).rows}
    assert names == {
        later.id: "group of 3: tests.multiply",
        failed.id: "chord of 2: tests.log, tests.fail → tests.multiply",
        slow.id: "chain of 2: tests.nap → tests.log",
    }
    for state, text, expected in [
        ("", "TESTS.multiply", [later, failed]),
        ("ended", "TESTS.multiply", [failed]),
        ("FAILURE", "", [failed]),
        ("FAILURE", "bad gateway", [failed]),
        ("SUCCESS", "bad gateway", []),
        ("PENDING", "", [later]),
        ("waiting", "group", [later]),
        ("STARTED", "", []),
        ("", slow.id, [slow]),
        ("", f"{slow.id}:0", []),  # a member
    ]:
        found = await workflows(connection, state=state, text=text)
        assert [row.id for row in found.rows] == [flow.id for flow in expected], (state, text)
    assert [row.id for row in (await workflows(connection, state="ended", longest=True)).rows] == [slow.id, failed.id]
    with pytest.raises(ValueError, match="state='odd': it is one of pending"):
        await workflows(connection, state="odd")


async def test_a_failing_step_is_one_failure_and_the_row_of_its_workflow_has_its_name(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    flow = await chord([tasks.log.s(1), tasks.fail.s()], tasks.log.s()).delay()
    await reach(flow, "FAILURE")

    [failed] = (await find(connection, state="FAILURE")).rows
    assert (failed.id, failed.parent) == (f"{flow.id}:0.1", flow.id)
    assert (await totals(connection))[""].states["FAILURE"] == 1
    [row] = [row for row in (await find(connection, state="ended")).rows if row.kind == "workflow"]
    assert (row.name, row.error) == ("chord of 2: tests.log, tests.fail → tests.log", "ValueError: no luck")
    await connection.hset(Keys.RECORD + flow.id, "tree", 1)  # type: ignore[misc]  # as earlier releases write it
    [old] = [row for row in (await find(connection, state="ended")).rows if row.kind == "workflow"]
    assert (old.name, old.task) == ("", "jobs.workflow")

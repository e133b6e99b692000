"""Workflows: the list, and one as a tree, also a large one."""

from __future__ import annotations

import pytest

from jobs import chord, group, signature
from jobs.client.connection import JobsRedis
from jobs.monitor import WorkflowNode, find, totals, workflow, workflows
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


async def test_a_tree(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    inner = group(tasks.log.si("早"), tasks.fail.si("no"), tasks.log.si({"password": "x"}))
    flow = await (tasks.log.s(1) | chord(inner, tasks.log.s())).delay()
    await reach(flow, "FAILURE")

    tree = await workflow(connection, flow.id)

    assert tree
    assert (tree.kind, tree.state, tree.size) == ("chain", "FAILURE", 2)
    assert tree.states == {"SUCCESS": 3, "FAILURE": 1, "SKIPPED": 1}
    [first, last] = tree.members
    assert (first.kind, first.task, first.state, first.path, first.id) == (
        "task", "tests.log", "SUCCESS", "0", f"{flow.id}:0",
    )  # fmt: skip
    [header, body] = last.members
    assert [member.args for member in header.members] == ["'早'", "'no'", "{'password': '***'}"]
    assert (header.states, body.state) == ({"SUCCESS": 2, "FAILURE": 1}, "SKIPPED")
    part = await workflow(connection, flow.id, path="1.0", start=1)
    assert part
    assert [member.path for member in part.members] == ["1.0.1", "1.0.2"]
    leaf = await workflow(connection, flow.id, path="1.0.1")
    assert leaf
    assert (leaf.state, leaf.task) == ("FAILURE", "tests.fail")
    for path in ("7", "1.x", "0.0", "1.0.9", ".", "-1", "٣", "9" * 5000):
        assert await workflow(connection, flow.id, path=path) is None
    assert await workflow(connection, "nobody") is None


async def test_ten_thousand_members_stay_readable_and_cost_little(connection: JobsRedis) -> None:
    flow = await chord([signature("tests.log", (n,)) for n in range(10_000)], tasks.log.s()).apply_async(countdown=60)
    done = {f"0.{n}": b"S" for n in range(9_000)} | {"0.9999": b"F"}
    await connection.hset(Keys.JOURNAL + flow.id, mapping=done)

    before = await _commands(connection)
    tree = await workflow(connection, flow.id)
    asked = await _commands(connection) - before

    assert tree
    assert tree.states == {"SUCCESS": 9_000, "FAILURE": 1, "": 1_000}
    assert (tree.members[0].size, len(tree.members[0].members)) == (10_000, 10)
    assert asked < 20_100  # two for each, as no records are there: in scripts of 500
    page = await workflow(connection, flow.id, path="0", start=9_990)
    assert page
    assert [member.state for member in page.members] == [""] * 9 + ["FAILURE"]
    assert _nodes(page) == 11
    await connection.delete(Keys.JOURNAL + flow.id)


async def _commands(connection: JobsRedis) -> int:
    return int((await connection.info("stats"))["total_commands_processed"])


def _nodes(node: WorkflowNode) -> int:
    return 1 + sum(map(_nodes, node.members))

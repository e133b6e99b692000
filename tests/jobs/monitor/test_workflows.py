"""Workflows: the list, and one as a tree, also a large one."""

from __future__ import annotations

import pytest

from jobs import chord, group, signature
from jobs.client.connection import JobsRedis
from jobs.monitor import WorkflowNode, workflow, workflows
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


async def test_a_tree(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    inner = group(tasks.log.si("早"), tasks.fail.si("no"), tasks.log.si({"password": "x"}))
    flow = await (tasks.log.s(1) | chord(inner, tasks.log.s())).delay()
    await reach(flow, "FAILURE")

    tree = await workflow(connection, flow.id)

    assert tree
    assert (tree.kind, tree.state, tree.size) == ("chain", "FAILURE", 2)
    assert tree.states == {"SUCCESS": 3, "FAILURE": 1, "": 1}
    [first, last] = tree.members
    assert (first.kind, first.task, first.state, first.path, first.id) == (
        "task", "tests.log", "SUCCESS", "0", f"{flow.id}:0",
    )  # fmt: skip
    [header, body] = last.members
    assert [member.args for member in header.members] == ["'早'", "'no'", "{'password': '***'}"]
    assert (header.states, body.state) == ({"SUCCESS": 2, "FAILURE": 1}, "")
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
    assert asked < 2_500  # two for each of the 1,000 that have not ended, a few for all the others together
    page = await workflow(connection, flow.id, path="0", start=9_990)
    assert page
    assert [member.state for member in page.members] == [""] * 9 + ["FAILURE"]
    assert _nodes(page) == 11
    await connection.delete(Keys.JOURNAL + flow.id)


async def _commands(connection: JobsRedis) -> int:
    return int((await connection.info("stats"))["total_commands_processed"])


def _nodes(node: WorkflowNode) -> int:
    return 1 + sum(map(_nodes, node.members))

"""The ids of members and callbacks: no other job can have them, and those of earlier releases stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import Result, chain, chord, encoding, group, monitor_site
from jobs.client.connection import JobsRedis
from jobs.client.submit import NAMED_WORKFLOW, WORKFLOW
from jobs.errors import QuarqError, WrongValue
from jobs.monitor import why
from jobs.store.call import Call
from jobs.store.keys import Keys
from jobs.workflows.canvas import Node
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log, multiply, nap
from tests.waiting import wait_until

SHAPES: dict[str, Callable[[], Node]] = {
    "group": lambda: group(log.s(0), log.s(1)),
    "chain": lambda: chain(log.s(0), log.s()),
    "chord": lambda: chord([log.s(0), log.s(1)], log.s()),
    "nested": lambda: chain(group(log.s(0), chain(log.s(1), log.s())), group(log.s(), log.s()), log.s()),
    "called back": lambda: chain(group(log.s(0)).set(link=log.s()), log.s().set(link=log.s())),
    "callback": lambda: log.s(0).set(link=[log.s(), group(log.s(), log.s())]),
}
GIVEN = ["order:42", "reminder:5:2", "a::b", "a::", "::", "a::0b", "a:0:", "a::1:", "a::0~2", "a:-", "0", "a:-1.0"]


def alike(job_id: str) -> list[str]:
    """Ids that somebody may give, which look most like those of the members and callbacks of *job_id*."""
    places = ("-", "0", "1", "2", "0.0", "0.1", "0.1.0", "1.0", "-1.0", "-1.1", "-2.0", "0.-1.0")
    return [f"{job_id}:{place}" for place in places]


async def submit(node: Node, job_id: str) -> Result:
    return await node.apply_async(task_id=job_id)


async def all_below(result: Result) -> list[Result]:
    """Members, callbacks, and theirs."""
    found = await result.children()
    return found + [inner for one in found for inner in await all_below(one)]


@pytest.mark.parametrize("when", ["waits", "has ended", "comes after"])
async def test_a_job_whose_id_looks_like_a_members_is_its_own(start_worker: StartWorker, when: str) -> None:
    calls = [log.signature((name,), task_id=name) for shape in SHAPES for name in alike(shape)]
    if when == "waits":
        own = [await call.apply_async(countdown=60) for call in calls]
    elif when == "has ended":
        await start_worker()
        own = [await call.delay() for call in calls]
        assert [await one.get(timeout=5) for one in own] == [one.id for one in own]
    results = {shape: await submit(build(), shape) for shape, build in SHAPES.items()}
    if when != "has ended":
        await start_worker()

    for shape, result in results.items():
        assert await result.get(timeout=5) == await SHAPES[shape]()(), shape
    if when == "waits":
        assert {await one.state() for one in own} == {"PENDING"}
        return
    if when == "comes after":
        own = [await call.delay() for call in calls]
    assert [await one.get(timeout=5) for one in own] == [one.id for one in own]


async def test_the_id_of_a_member_or_a_callback_can_be_given_to_no_call(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()
    results = [await submit(build(), shape) for shape, build in SHAPES.items()]
    for result in results:
        await result.get(timeout=5)

    for taken in [one for result in results for one in await all_below(result)]:
        for call in (log.s(1), group(log.s(1))):
            with pytest.raises(WrongValue, match="belong to members of workflows and to callbacks"):
                await call.apply_async(task_id=taken.id)
        with pytest.raises(WrongValue, match="belong to members"):
            await connection.enqueue_job("tests.log", 1, _job_id=taken.id)
        with pytest.raises(WrongValue, match="belong to members"):
            await log.apply_many([log.signature((1,), task_id=taken.id)])


async def test_every_other_id_can_be_given(start_worker: StartWorker) -> None:
    await start_worker()

    for job_id in GIVEN:
        single = await log.apply_async((job_id,), task_id=job_id)
        assert await single.get(timeout=5) == job_id
        await single.forget()
        again = await submit(SHAPES["nested"](), job_id)
        assert await again.get(timeout=5) == await SHAPES["nested"]()()


async def test_a_worker_of_an_earlier_release_leaves_workflows_with_given_ids_to_others(connection: JobsRedis) -> None:
    """It would call their members under other ids: again."""
    given, made = await submit(group(log.s(1)), "sync"), await group(log.s(1)).delay()

    assert await connection.hget(Keys.RECORD + given.id, "task") == NAMED_WORKFLOW.encode()
    assert await connection.hget(Keys.RECORD + made.id, "task") == WORKFLOW.encode()


async def stored_by_an_earlier_release(connection: JobsRedis, node: Node, job_id: str) -> Result:
    payload, tree = connection.encode_call(WORKFLOW, [], {}), encoding.dumps(node.to_dict())
    await connection.enqueue([Call(job_id, "default", payload, WORKFLOW, tree=tree)])
    return Result(job_id)


Store = Callable[[JobsRedis, Node, str], Any]


async def _stored_now(connection: JobsRedis, node: Node, job_id: str) -> Result:
    return await submit(node, job_id)


@pytest.mark.parametrize("store", [stored_by_an_earlier_release, _stored_now], ids=["earlier", "now"])
@pytest.mark.parametrize("job_id", ["sync", "a:", "a::b"])
async def test_whoever_names_a_member_means_the_same(
    connection: JobsRedis, start_worker: StartWorker, store: Store, job_id: str
) -> None:
    """Before it is called, while it runs, and after it has ended; and when it is begun again."""
    result = await store(connection, chain(group(nap.s(30), fail.s("x")), log.s()), job_id)
    first, second, last = await result.children()

    assert [reason.code for reason in await why(connection, last.id)] == ["children"]
    member = await monitor_site.job(connection, last.id)
    assert member is not None
    assert (member.parent, member.task) == (job_id, "tests.log")
    shown = await monitor_site.timeline(connection, job_id)
    assert shown is not None
    assert [task.id for task in shown.root.tasks()] == [first.id, second.id, last.id]

    await start_worker()
    await wait_until(lambda: _are(("STARTED", "FAILURE"), first, second), "the members to run")
    shown = await monitor_site.timeline(connection, job_id)
    assert shown is not None
    assert [task.state for task in shown.root.tasks()] == ["STARTED", "FAILURE", ""]
    assert [one.id async for one in _first_completed(result)] == [second.id]
    await result.revoke(terminate=True)
    await wait_until(lambda: _are(("REVOKED", "FAILURE", "REVOKED"), first, second, result), "the end")

    assert await result.retry_failed()
    await wait_until(lambda: _are(("STARTED", "FAILURE"), first, second), "the members to run again")
    await result.revoke(terminate=True)


async def _first_completed(result: Result) -> Any:
    async for one in result.as_completed():
        yield one
        return


async def _are(states: tuple[str, ...], *results: Result) -> bool:
    return tuple([await result.state() for result in results]) == states


async def test_where_an_earlier_release_shares_an_id_nothing_waits_for_ever(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    waiting = await multiply.apply_async((2, 3), task_id="old:1", countdown=60)
    old = await stored_by_an_earlier_release(connection, group(nap.s(30), log.s(1)), "old")
    await start_worker()
    first, _ = await old.children()
    await wait_until(lambda: _are(("STARTED",), first), "the first member to run")

    with pytest.raises(QuarqError, match="a member of a workflow has this id; give another one"):
        await multiply.apply_async((2, 3), task_id="old:0")
    await first.revoke(terminate=True)

    error = await old.get(timeout=5, propagate=False)
    assert isinstance(error, Exception)
    assert await waiting.state() == "PENDING"


async def test_a_member_of_an_earlier_release_whose_id_another_job_has_fails_its_workflow(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()
    ended = await multiply.apply_async((2, 3), task_id="old:0")
    assert await ended.get(timeout=5) == 6

    old = await stored_by_an_earlier_release(connection, group(log.s(1), log.s(2)), "old")

    with pytest.raises(QuarqError, match="old:0 cannot be called: another job has this id"):
        await old.get(timeout=5)
    assert await ended.get(timeout=5) == 6

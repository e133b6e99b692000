"""Where the time of a workflow went: the path of the tasks that decided its end, and what is known of each task."""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Any

import pytest

from jobs import Result, chain, chord, group, signature
from jobs.client.connection import JobsRedis
from jobs.monitor import why
from jobs.monitor_site import Timeline, timeline
from jobs.monitor_site.workflow_steps import Step
from jobs.store.keys import Keys
from jobs.workflows.canvas import Workflow
from tests.jobs.monitor.conftest import Reach
from tests.jobs.monitor.recorded_times import Times, random_tree, record
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker

TREES = range(60)


def is_whole(found: Timeline) -> bool:
    assert found.called
    assert found.at
    assert all(part.seconds > 0 for part in found.parts)
    return sum(part.seconds for part in found.parts) == pytest.approx(
        (found.at - found.called).total_seconds(), abs=1e-3
    )


@pytest.mark.parametrize("fails", [0, 0.1])
async def test_only_what_is_on_the_path_ends_the_workflow_later_if_it_runs_longer(
    connection: JobsRedis, fails: float
) -> None:
    begin = int(time.time() * 1000) - 10**9
    for seed in TREES:
        node = random_tree(Random(seed))
        if not isinstance(node, Workflow):
            continue
        tree, times = node.to_dict(), Times(seed, fails=fails)
        end, well = times.play(tree)
        flow = await node.delay()
        await record(connection, flow.id, times, begin, end, well)

        found = await timeline(connection, flow.id)

        assert found
        assert is_whole(found)
        assert found.state == ("SUCCESS" if well else "FAILURE")
        on_path = {step.path for step in found.path}
        decide = {path for path in times.of if Times(seed, {path: 1}, fails).play(tree)[0] > end}
        assert on_path == decide, seed
        names_the_longest(found)
        assert all(spent >= 0 for step in times.of for spent in found.spent(at_path(found, step)))
    await connection.flushall()


async def test_until_now_while_it_goes_on(connection: JobsRedis) -> None:
    for seed in TREES:
        node = random_tree(Random(seed))
        if not isinstance(node, Workflow):
            continue
        tree, times = node.to_dict(), Times(seed)
        whole, _ = times.play(tree)
        cut = Random(seed).randint(0, whole)
        flow = await node.delay()
        await record(connection, flow.id, times, int(time.time() * 1000) - cut, cut, None)

        found = await timeline(connection, flow.id)

        assert found
        assert is_whole(found)
        assert (found.state, found.ended) == ("STARTED", None)
        states = {step.path: step.state for step in found.root.tasks()}
        for path, (called, started, ended, _) in times.of.items():
            assert states[path] == (
                "" if called > cut else "PENDING" if started > cut else "STARTED" if ended > cut else "SUCCESS"
            ), (seed, path)
        if found.path and not found.path[-1].ended:
            others = sum(task.called is not None and not task.ended for task in found.root.tasks()) - 1
            named = f"it waits for {found.path[-1].task}{number_of(found.path[-1])}"
            assert found.sentence.endswith(named + (f" and {others} more" if others else ""))
    await connection.flushall()


def names_the_longest(found: Timeline) -> None:
    """Of the tasks on the path."""
    spent = Counter[str | None]()
    for part in found.parts:
        spent[part.path] += part.seconds  # type: ignore[assignment]
    longest = max(found.path, key=lambda step: spent[step.path])
    if len(found.path) > 1:
        named = f"; {longest.task}{number_of(longest)}"
        assert found.sentence.endswith((f"{named} took longest", f"{named} decided the end")), found.sentence


def at_path(found: Timeline, path: str) -> Step:
    [step] = [step for step in found.root.tasks() if step.path == path]
    return step


def number_of(step: Step) -> str:
    return f" {step.number} of {step.of}" if step.of > 1 else ""


class Seen:
    """A workflow of a real worker that has ended, and how its steps ended."""

    def __init__(self, found: Timeline | None) -> None:
        assert found
        assert is_whole(found)
        self.found = found
        self.states = [task.state for task in found.root.tasks()]
        self.spent = {part.what for part in found.parts}


async def test_each_way_that_a_step_ends(connection: JobsRedis, start_worker: StartWorker, reach: Reach) -> None:
    await start_worker(tasks=tasks.ALL)

    async def seen(node: Any, state: str) -> Seen:
        result = await node.delay()
        await reach(result, state)
        return Seen(await timeline(connection, result.id))

    failed = await seen(chord([tasks.log.s(1), tasks.fail.s()], tasks.log.s()) | tasks.log.s(), "FAILURE")
    assert failed.states == ["SUCCESS", "FAILURE", "SKIPPED", "SKIPPED"]
    assert failed.found.name == "chain of 3: 2 × (tests.log, tests.fail) → tests.log → tests.log"
    retried = await seen(tasks.flaky.si(2) | tasks.log.si(1), "SUCCESS")
    assert [run.outcome for run in retried.found.path[0].runs] == ["RETRY", "RETRY", "SUCCESS"]
    assert "retry" in retried.spent
    later = await seen(tasks.log.si(1) | tasks.log.si(2).set(countdown=0.2), "SUCCESS")
    assert [part.seconds for part in later.found.parts if part.what == "later"] == [0.2]
    expired = await seen(group(tasks.log.si(1).set(expires=-1), tasks.nap.si(0.1)), "FAILURE")
    assert (expired.states, [step.path for step in expired.found.path]) == (["REVOKED", "SUCCESS"], ["1"])
    told = await seen(chain(group(tasks.fail.si()), tasks.log.si(1).on_error(tasks.nap.si(0.1))), "FAILURE")
    assert ([step.path for step in told.found.path], told.states) == (["0.0", "1.-2.0"], ["FAILURE", "SKIPPED"])
    within = await seen(chain(group([tasks.log.si(1)]).set(link=tasks.nap.si(0.1)), tasks.log.si(1)), "SUCCESS")
    assert [step.path for step in within.found.path] == ["0.0", "0.-1.0", "1"]
    returned = await seen(group(tasks.fail.si(), tasks.log.si(1), return_exceptions=True), "SUCCESS")
    assert (returned.found.root.state, returned.states) == ("SUCCESS", ["FAILURE", "SUCCESS"])
    assert "SKIPPED" not in (await seen(group(), "SUCCESS")).states


async def test_a_step_after_a_failure_is_skipped_while_others_go_on(
    connection: JobsRedis, start_worker: StartWorker, reach: Reach
) -> None:
    await start_worker(tasks=tasks.ALL)
    flow = await group(tasks.fail.si() | tasks.log.si(1), tasks.nap.si(60) | tasks.log.si(2)).delay()
    await reach(Result(f"{flow.id}:0.0"), "FAILURE")
    await reach(Result(f"{flow.id}:1.0"), "STARTED")

    going = Seen(await timeline(connection, flow.id))
    assert going.states == ["FAILURE", "SKIPPED", "STARTED", ""]
    assert [member.state for member in going.found.root.members] == ["FAILURE", "STARTED"]
    assert going.found.sentence.endswith("; it waits for tests.nap 2 of 2")
    for place, words in (("0.1", "it is never called: a step before it in"), ("1.1", "it is called when 1 children")):
        [reason] = await why(connection, f"{flow.id}:{place}")
        assert reason.text.startswith(words)
    lenient = group(tasks.fail.si(), return_exceptions=True)
    forgiven = await chain(lenient, tasks.nap.si(60), tasks.log.si(1)).delay()
    await reach(Result(f"{forgiven.id}:1"), "STARTED")
    assert [reason.code for reason in await why(connection, f"{forgiven.id}:2")] == ["children"]
    await forgiven.revoke(terminate=True)

    await flow.revoke(terminate=True)
    await reach(flow, "REVOKED")
    await reach(Result(f"{flow.id}:1.0"), "REVOKED")
    revoked = Seen(await timeline(connection, flow.id))
    assert (revoked.found.state, revoked.states) == ("REVOKED", ["FAILURE", "SKIPPED", "REVOKED", "SKIPPED"])


async def test_a_retried_workflow_says_so(connection: JobsRedis, start_worker: StartWorker, reach: Reach) -> None:
    await start_worker(tasks=tasks.ALL)
    flow = await chain(tasks.log.si(1), group(tasks.log.si(2), tasks.fail.si())).delay()
    await reach(flow, "FAILURE")
    await flow.retry_failed()
    await reach(flow, "FAILURE")

    found = Seen(await timeline(connection, flow.id))
    assert found.found.runs == 2
    assert found.spent >= {"again", "run"}
    assert found.found.sentence.endswith("; it was retried once")
    assert [step.path for step in found.found.path] == ["0", "1.1"]


async def test_what_is_forgotten_is_said(connection: JobsRedis, start_worker: StartWorker, reach: Reach) -> None:
    await start_worker(tasks=tasks.ALL)
    flow = await chain(tasks.log.si(1), tasks.nap.si(0.1), tasks.log.si(2)).delay()
    await reach(flow, "SUCCESS")

    await connection.delete(f"{Keys.RECORD}{flow.id}:0", f"{Keys.RECORD}{flow.id}:2")
    found = Seen(await timeline(connection, flow.id))
    assert found.states == ["SUCCESS"] * 3
    assert found.found.sentence.endswith("; when 2 of its 3 tasks ran is forgotten")
    assert [step.path for step in found.found.path] == ["1"]

    await connection.delete(f"{Keys.RECORD}{flow.id}")
    own = Seen(await timeline(connection, flow.id))
    assert (own.found.state, own.found.called) == ("SUCCESS", own.found.path[0].called)
    await connection.delete(f"{Keys.RECORD}{flow.id}:1")
    none = await timeline(connection, flow.id)
    assert none
    assert (none.sentence, none.state, none.parts) == ("when 3 of its 3 tasks ran is forgotten", "SUCCESS", [])


async def test_no_step_is_taken_for_that_of_an_earlier_life_of_its_id(
    connection: JobsRedis, start_worker: StartWorker, reach: Reach
) -> None:
    worker = await start_worker(tasks=tasks.ALL)
    flow = chain(tasks.log.si(1), tasks.log.si(2))
    first = await flow.apply_async(task_id="nightly")
    await reach(first, "SUCCESS")
    await worker.close()
    await connection.delete(f"{Keys.RECORD}nightly", f"{Keys.RESULT}nightly")  # as a day later
    await flow.apply_async(task_id="nightly")

    assert Seen(await timeline(connection, "nightly")).states == ["", ""]


async def test_many_members_cost_little_and_a_cut_is_said(connection: JobsRedis) -> None:
    flow = await chord([signature("tests.log", (n,)) for n in range(20_500)], tasks.log.s()).apply_async(countdown=60)
    await connection.config_set("slowlog-log-slower-than", 50_000)
    await connection.config_resetstat()
    await connection.slowlog_reset()

    found = await timeline(connection, flow.id)

    assert found
    assert Counter(task.state for task in found.root.tasks()) == {"": 20_000, "UNREAD": 501}
    assert found.root.members[1].state == ""
    assert "501 of its tasks were not looked at" in found.sentence
    assert (await connection.info("commandstats"))["cmdstat_evalsha"]["calls"] == 40
    assert await connection.slowlog_len() == 0

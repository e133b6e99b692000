"""The five names, in eager mode and on a worker: what is recorded is not done again, whatever runs again."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from jobs import QuarqError
from tests.jobs.durable import durable_tasks as tasks
from tests.jobs.durable.conftest import Outcome
from tests.jobs.durable.durable_tasks import done


@pytest.mark.parametrize("task", [tasks.order, tasks.plain_order], ids=["async", "def"])
async def test_an_order_goes_on_where_it_was(outcome: Outcome, task: Any) -> None:
    assert await outcome(task, 7, days=11) == "charge 7, label, nobody"
    assert done == {"charge 7": 1, "child label": 1}


async def test_steps_at_the_same_time(outcome: Outcome) -> None:
    assert await outcome(tasks.parallel, days=1) == ["a", "b", "c", "d", None, "each 0", "each 1", "each 2"]
    assert set(done.values()) == {1}
    assert len(done) == 7


async def test_a_loop_without_keys_counts_by_order(outcome: Outcome) -> None:
    assert await outcome(tasks.loop, ["x", "y", "y"]) == ["x", "y", "y"]
    assert done == {"x": 1, "y": 2}


async def test_a_failure_is_raised_again_and_caught_as_before(outcome: Outcome) -> None:
    assert await outcome(tasks.catches, days=1) == "refund charge"
    assert done == {"charge": 1, "refund charge": 1}


async def test_an_exception_of_no_declared_class_is_a_remote_one_in_the_first_run_too(outcome: Outcome) -> None:
    assert await outcome(tasks.unknown) == "RemoteError"


async def test_a_retry_forgets_failures_and_keeps_successes(outcome: Outcome) -> None:
    assert await outcome(tasks.retried, 2) == 3
    assert done == {"first": 1, "flaky": 3}


async def test_a_retry_calls_a_failed_child_again(outcome: Outcome) -> None:
    assert await outcome(tasks.calls_failing, 2) == 3
    assert done == {"failing child": 3}


@pytest.mark.parametrize(("retries", "expected"), [(1, OSError), (2, int), (5, int)])
async def test_retries_of_a_step(outcome: Outcome, retries: int, expected: type) -> None:
    assert type(await outcome(tasks.tries, 2, retries)) is expected


async def test_a_timeout_of_a_step(outcome: Outcome) -> None:
    assert type(await outcome(tasks.slow_step)) is TimeoutError


async def test_a_value_is_rebuilt_by_the_annotation_of_its_function(outcome: Outcome) -> None:
    assert await outcome(tasks.rebuilt, days=1) == 7
    assert done == {"label": 1}


async def test_the_key_of_a_step_is_the_same_in_every_run(outcome: Outcome) -> None:
    first, second = await outcome(tasks.keyed)
    job_id = first.removesuffix(":charge")
    assert second == f"{job_id}:charge[7]"


async def test_workflows_are_children_too(outcome: Outcome) -> None:
    assert await outcome(tasks.flows) == ["x", "y", "z"]
    assert done == Counter({"child x": 1, "child y": 1, "child z": 2})


async def test_a_wait_that_nobody_ends_times_out(outcome: Outcome) -> None:
    assert type(await outcome(tasks.times_out, days=1)) is TimeoutError


async def test_a_step_in_a_step_is_refused(outcome: Outcome) -> None:
    error = await outcome(tasks.nested)
    assert isinstance(error, QuarqError)
    assert "call it next to that, not in it" in str(error)
    assert not done


@pytest.mark.parametrize("task", [tasks.calls_too_early, tasks.calls_in_thread])
@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("coroutine", r"self.step\('x', note\(...\)\): leave the call to the step: self.step\('x', note, ...\)"),
        ("value", r"self.step\('x', 3\): give a function, and its arguments behind it"),
    ],
)
async def test_a_call_in_place_of_a_function_says_what_to_write(
    outcome: Outcome, task: Any, kind: str, advice: str
) -> None:
    error = await outcome(task, kind)
    assert isinstance(error, TypeError)
    assert re.search(advice, str(error))

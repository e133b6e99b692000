"""When a failed job runs again."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Retry
from jobs.tasks.options import TaskOptions

policies = st.builds(
    TaskOptions,
    default_retry_delay=st.floats(0, 1e6),
    retry_backoff=st.one_of(st.booleans(), st.integers(1, 1000), st.floats(0.01, 1000)),
    retry_backoff_max=st.floats(0, 1e6),
    retry_jitter=st.booleans(),
)


def test_without_backoff_every_delay_is_the_default_one():
    assert [TaskOptions().next_delay(retries) for retries in range(3)] == [180, 180, 180]


def test_backoff_doubles_from_one_second_up_to_its_maximum():
    policy = TaskOptions(retry_backoff=True, retry_jitter=False)

    delays = [policy.next_delay(retries) for retries in range(12)]

    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_a_number_is_the_first_delay():
    policy = TaskOptions(retry_backoff=5, retry_backoff_max=30, retry_jitter=False)

    assert [policy.next_delay(retries) for retries in range(5)] == [5, 10, 20, 30, 30]


def test_jitter_spreads_the_tries_over_the_whole_delay():
    policy = TaskOptions(retry_backoff=100)
    rng = random.Random(1)

    delays = [policy.next_delay(0, rng.uniform) for _ in range(1000)]

    assert min(delays) < 5
    assert max(delays) > 95
    assert 45 < sum(delays) / len(delays) < 55


@given(policies, st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_no_delay_is_negative_or_above_the_maximum(policy, retries, rng):
    most = policy.retry_backoff_max if policy.retry_backoff else policy.default_retry_delay

    assert 0 <= policy.next_delay(retries, rng.uniform) <= most


@given(policies, st.integers(0, 10_000))
def test_without_jitter_no_delay_is_shorter_than_the_one_before(policy, retries):
    steady = TaskOptions(
        retry_backoff=policy.retry_backoff, retry_backoff_max=policy.retry_backoff_max, retry_jitter=False
    )

    assert steady.next_delay(retries) <= steady.next_delay(retries + 1)


def test_only_the_named_errors_are_retried():
    policy = TaskOptions(autoretry_for=(OSError,), dont_autoretry_for=(FileNotFoundError,))

    assert policy.retries_by_itself(ConnectionError())
    assert not policy.retries_by_itself(FileNotFoundError())
    assert not policy.retries_by_itself(ValueError())


def test_nothing_is_retried_by_itself_unless_asked_for():
    assert not TaskOptions().retries_by_itself(OSError())


def test_a_retry_that_the_task_asked_for_keeps_its_own_delay():
    assert not TaskOptions(autoretry_for=(Exception,)).retries_by_itself(Retry(None, 5))

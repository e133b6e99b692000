"""When should a failed job run again? Pure arithmetic: no clock, no Redis."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from jobs.errors import Retry


class Uniform(Protocol):
    """The one method of `random.Random` that is needed."""

    def uniform(self, a: float, b: float, /) -> float: ...


@dataclass(frozen=True)
class RetryPolicy:
    """The part of `@task(...)` that concerns retries: Celery's names and defaults, times in seconds."""

    default_retry_delay: float = 180
    autoretry_for: tuple[type[BaseException], ...] = ()
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    retry_backoff: bool | float = False
    """False: always `default_retry_delay`. A number: the first delay, doubled each time. True: 1."""
    retry_backoff_max: float = 600
    retry_jitter: bool = True
    """Of a backed-off delay, take a random part between nothing and all of it."""


def retries_by_itself(policy: RetryPolicy, error: BaseException) -> bool:
    """Does the task want another try after this error, without having asked by `self.retry()`?"""
    if isinstance(error, (Retry, *policy.dont_autoretry_for)):
        return False
    return isinstance(error, policy.autoretry_for)


def next_delay(policy: RetryPolicy, retries: int, rng: Uniform = random) -> float:
    """Seconds until the next try of a job that was retried *retries* times; never above the maximum."""
    if not policy.retry_backoff:
        return policy.default_retry_delay
    delay = min(policy.retry_backoff * 2.0 ** min(retries, 64), policy.retry_backoff_max)
    return rng.uniform(0, delay) if policy.retry_jitter else delay

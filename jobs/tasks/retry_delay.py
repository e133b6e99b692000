"""When should a failed job run again? Pure arithmetic: no clock, no Redis."""

import random
from collections.abc import Callable

from ..errors import Retry
from .options import TaskOptions


def retries_by_itself(policy: TaskOptions, error: BaseException) -> bool:
    """Does the task want another try after this error, without having asked by `self.retry()`?"""
    if isinstance(error, (Retry, *policy.dont_autoretry_for)):
        return False
    return isinstance(error, policy.autoretry_for)


def next_delay(policy: TaskOptions, retries: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds until the next try of a job that was retried *retries* times; never above the maximum."""
    if not policy.retry_backoff:
        return policy.default_retry_delay
    delay = min(policy.retry_backoff * 2.0 ** min(retries, 64), policy.retry_backoff_max)
    return uniform(0, delay) if policy.retry_jitter else delay

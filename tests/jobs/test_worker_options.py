"""Every option of a worker: taken as it is meant, or refused where it is written."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from arq import cron, func

from jobs import Middleware, crontab, every, task, worker_settings
from jobs.contrib.other_names import OF_WORKERS
from jobs.errors import SettingsMistake
from jobs.testing import eager
from jobs.worker import Worker
from tests.jobs.option_values import (
    ABOVE_ZERO,
    COUNT,
    FLAG,
    HOOK,
    LONG,
    NAME,
    NOT_NEGATIVE,
    ODD,
    ZONE,
    Kind,
    refused_everywhere,
    same,
)

URL = "unix:///nowhere/redis.sock"


@task(name="worker_options.work")
async def work(*args: Any) -> None: ...


@task(name="options.other", aliases=["options.alias"])
async def other() -> None: ...


async def plain(ctx: Any) -> None: ...


@contextlib.asynccontextmanager
async def around(job: Any) -> AsyncIterator[None]:
    yield


@contextlib.contextmanager
def not_async(job: Any) -> Iterator[None]:
    yield


async def bare(job: Any) -> AsyncIterator[None]:
    yield


class Manager:
    def __init__(self, job: Any) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *error: object) -> None: ...


AROUND = Kind(
    same(around, Manager, None, lambda job: Manager(job)),
    [not_async, bare, plain, Manager(1), lambda: Manager(1), lambda one, two: None, int, "around", 5, True],
)


class Passing(Middleware):
    async def run(self, job: Any, call_next: Any) -> Any:
        return await call_next(job)


PASSING = Passing()
COUNTED = COUNT.but(0)
WORKER = {
    "tasks": Kind(same([], [work], (work, other)), [[plain], [print], ["worker_options.work"], work, "work", 5, None,
                  [work, 5], [work, other.with_options(queue="b"), other]]),
    "functions": Kind(same([], [plain], [func(plain, name="f")]), 
        [[work], [5], [print], [work.s()], [OSError], [functools.partial(plain)], "plain", plain, 5, None]),
    "cron_jobs": Kind([], [[work], ["0 * * * *"], crontab(work), [crontab(work), crontab(work)], 5, None]),
    "queues": Kind(same(["default"], ["a", "b"]), ["mail", [], ["a", "a"], ["a,b"], [""], ["a\nb"], [5], 5]),
    "around": AROUND,
    "middleware": Kind([([PASSING], (PASSING,)), ((PASSING, PASSING), (PASSING, PASSING)), ([], ())],
                       [PASSING, [Passing], Passing, [Middleware()], [around], around, ["Passing()"], [None], None, 5,
                        {PASSING: 1}]),
    "lease": Kind([(20, 20), (timedelta(seconds=20), 20.0)], [*ABOVE_ZERO.wrong, 4]),
    "lease_renewal": Kind([(0.5, 0.5)], [*ABOVE_ZERO.wrong, 15, 60]),
    "loop_stuck": ABOVE_ZERO,
    "unknown_task_patience": NOT_NEGATIVE,
    "max_jobs_total": COUNTED.or_none(),
    "max_memory": Kind(same(0.5, 500, None), ["500", "", True, 0, -1, timedelta(1), float("nan"), float("inf"), *ODD]),
    "health": Kind(same("127.0.0.1:9101", "0.0.0.0:1", "[::1]:65535", "localhost:80", "worker-1.local:9101", None),
                   ["", ":9101", "9101", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:9101", "[::1]", "a b:1",
                    "http://127.0.0.1:9101", "127.0.0.1:9101/", "127.0.0.1:٣", "a:1\n", 9101, True, LONG, *ODD]),
    "log_format": Kind(same("text", "json"), ["xml", "", 5, None, True, *ODD]),
    "version": Kind(same("2026-12-01", "v" * 100, "早", None), ["", "v" * 101, "a,b", "a\nb", 5, True, *ODD]),
    "nice": Kind(same(0, 19), ["7", 20, -1, True, None, 2.5, *ODD]),
    "burst": FLAG,
    "on_startup": HOOK, "on_shutdown": HOOK, "on_job_start": HOOK, "on_job_end": HOOK, "after_job_end": HOOK,
    "handle_signals": FLAG,
    "job_completion_wait": NOT_NEGATIVE,
    "max_jobs": COUNTED,
    "job_timeout": NOT_NEGATIVE.or_none(),
    "keep_result": NOT_NEGATIVE.or_none(),
    "keep_result_forever": FLAG,
    "poll_delay": ABOVE_ZERO,
    "max_tries": COUNTED,
    "health_check_interval": ABOVE_ZERO,
    "health_check_key": NAME.or_none(),
    "ctx": Kind(same({}, {"a": 1}, None), ["ctx", 5, [1], True]),
    "retry_jobs": FLAG,
    "allow_abort_jobs": FLAG.but(False),
    "max_burst_jobs": Kind(same(-1, 0, 5), ["3", -2, True, None, 2.5, *ODD]),
    "job_serializer": HOOK, "job_deserializer": HOOK,
    "expires_extra_ms": COUNT,
    "timezone": Kind([*ZONE.right, (None, None)], ZONE.wrong),
    "log_results": FLAG,
    "accept_pickle": FLAG,
}  # fmt: skip
ELSEWHERE = {"queue_name", "redis_settings", "redis_pool", "queue_read_limit"}
"""What arq's way to name queues and a Redis comes to is the matter of test_arq_ways.py and test_arq_options.py."""


def settings_of(**options: Any) -> Any:
    return worker_settings(redis_url=URL, **options)


def test_every_option_of_a_worker_has_a_row() -> None:
    known = inspect.signature(Worker).parameters.keys() | inspect.signature(worker_settings).parameters.keys()

    assert WORKER.keys() == known - ELSEWHERE - {"options", "redis_url"}


@pytest.mark.parametrize("option", WORKER)
def test_a_value_is_taken_as_it_is_meant_or_refused(option: str) -> None:
    refused_everywhere(settings_of, option, WORKER[option])
    for value, meant in WORKER[option].right:
        taken = getattr(settings_of(**{option: value}), option, None)
        assert taken == meant or option in ("tasks", "functions")


def test_around_is_refused_in_eager_mode_too() -> None:
    for value in AROUND.wrong:
        with pytest.raises(SettingsMistake, match="around="), eager(around=value):
            pass


@pytest.mark.parametrize(
    ("option", "hint"),
    [("max_job", "did you mean 'max_jobs'"), ("leases", "did you mean 'lease'"), ("base", "there are:")],
)
def test_a_hint_is_given_where_a_name_is_near(option: str, hint: str) -> None:
    with pytest.raises(SettingsMistake, match=f"no option '{option}'; {hint}"):
        settings_of(**{option: 1})


@pytest.mark.parametrize("setting", sorted(OF_WORKERS))
def test_a_setting_that_is_not_there_is_answered_with_what_to_do_instead(setting: str) -> None:
    for option in (setting, f"worker_{setting}"):
        with pytest.raises(SettingsMistake, match=re.escape(OF_WORKERS[setting])):
            settings_of(**{option: 1})


def test_a_schedule_without_a_zone_goes_by_the_workers() -> None:
    for zone, meant in ZONE.right:
        own, without, span = (
            crontab(work, name="a", timezone="Asia/Tokyo"),
            crontab(work, name="b"),
            every(work, timedelta(1)),
        )
        taken = settings_of(cron_jobs=[own, without, span, cron(plain, hour=1)], timezone=zone).cron_jobs

        assert taken[0].timezone == ZoneInfo("Asia/Tokyo")
        assert taken[1].timezone == meant
        assert without.timezone is None


async def another(ctx: Any) -> None: ...


NAMESAKES: dict[str, dict[str, Any]] = {
    "a task": {"functions": [func(plain, name=work.name)]},
    "an alias": {"tasks": [other], "functions": [func(plain, name="options.alias")]},
    "another function": {"functions": [func(plain, name="f"), func(another, name="f")]},
    "what evaluates workflows": {"functions": [func(plain, name="jobs.workflow")]},
    "a path": {"functions": ["some.path", func(plain, name="some.path")]},
    "a cron job": {"functions": [func(another, name="cron:plain")], "cron_jobs": [cron(plain, second=1)]},
    "two cron jobs": {"cron_jobs": [cron(plain, second=1, name="c"), cron(another, second=2, name="c")]},
}


@pytest.mark.parametrize("given", NAMESAKES.values(), ids=NAMESAKES)
def test_two_functions_of_one_name_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsMistake, match="two tasks or functions are named"):
        worker_settings(**{"redis_url": URL, "tasks": [work], **given})


def test_one_function_may_be_given_twice() -> None:
    worker_settings(redis_url=URL, functions=[plain, plain], cron_jobs=[cron(plain, second=1), cron(plain, second=2)])

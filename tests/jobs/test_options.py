"""`@task(...)`: which options there are, and what is refused at import."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from jobs import registry, task
from jobs.errors import SettingsMistake
from jobs.options import TaskKeywords, TaskOptions

CELERY = [
    "bind",
    "max_retries",
    "default_retry_delay",
    "autoretry_for",
    "dont_autoretry_for",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
    "rate_limit",
    "time_limit",
    "soft_time_limit",
    "ignore_result",
    "expires",
    "queue",
    "acks_late",
]
OURS = [
    "max_concurrency",
    "result_expires",
    "raises",
    "process",
    "aliases",
    "on_success",
    "on_failure",
    "on_retry",
]


def test_every_option_of_the_design_is_there_and_no_other() -> None:
    assert {field.name for field in fields(TaskOptions)} == {*CELERY, *OURS}


def test_type_checkers_know_every_option() -> None:
    assert {"bind", *TaskKeywords.__annotations__} == {field.name for field in fields(TaskOptions)}


def test_the_defaults_are_celerys() -> None:
    options = TaskOptions()

    assert (options.max_retries, options.default_retry_delay, options.retry_backoff_max) == (3, 180, 600)
    assert options.retry_jitter is options.acks_late is True
    assert options.time_limit is options.soft_time_limit is options.rate_limit is options.expires is None


@pytest.mark.parametrize("name", [*CELERY, *OURS])
def test_a_misspelt_option_is_refused_naming_the_near_one(name: str) -> None:
    misspelt = name[:-1] + "_" + name[-1]

    with pytest.raises(TypeError, match=f"no option '{misspelt}'; did you mean '{name}'"):
        task(name="options.never", **{misspelt: 1})  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("rate_limit", "ten", "write a number"),
        ("rate_limit", "10/d", "write a number"),
        ("max_concurrency", 0, "at least 1"),
        ("time_limit", 0, "seconds above 0"),
        ("soft_time_limit", -1, "seconds above 0"),
        ("retry_backoff_max", -1, "cannot be negative"),
        ("aliases", "old.name", "give a list"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_at_import(option: str, value: Any, message: str) -> None:
    with pytest.raises(SettingsMistake, match=message):
        task(name="options.never", **{option: value})  # type: ignore[call-overload]


def test_a_thread_cannot_be_told_of_a_soft_limit() -> None:
    with pytest.raises(SettingsMistake, match="cannot reach into a thread"):

        @task(name="options.never", soft_time_limit=1)
        def plain() -> None: ...


def test_a_coroutine_cannot_run_in_a_process() -> None:
    with pytest.raises(SettingsMistake, match="process=True is for a plain def"):

        @task(name="options.never", process=True)
        async def coroutine() -> None: ...


def test_a_refused_task_is_not_registered() -> None:
    assert "options.never" not in dict(registry.registered())

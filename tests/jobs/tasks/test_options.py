"""`@task(...)`: which options there are, and what is refused at import."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from jobs import Unique, task
from jobs.errors import MaxRetriesExceeded, Retry, SettingsMistake
from jobs.tasks.call_options import TaskKeywords
from jobs.tasks.options import TaskOptions
from tests.jobs.option_values import (
    ABOVE_ZERO,
    COUNT,
    EXCEPTIONS,
    FLAG,
    LONG,
    NAME,
    NOT_FINITE,
    NOT_NEGATIVE,
    ODD,
    Kind,
    same,
)
from tests.registered_tasks import forget, registered

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
    "unique",
    "result_expires",
    "raises",
    "process",
    "strict",
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


SPAN = ABOVE_ZERO.or_none()
UNIQUE = Unique(window=5)
BACKOFF = Kind([*NOT_NEGATIVE.right, (True, True), (False, False)], [v for v in NOT_NEGATIVE.wrong if v is not True])
HOOK = Kind(same(print, None), ["print", 5, True, "", [print]])
RATE = Kind(
    same(None, 5, 0.5, 1e-5, "5", "10/s", "5/m", "100/h", " 100 / h ", "1000000/h", "0.00001/s", Decimal("0.5")),
    ["ten", "10/d", "", "5/m/h", "-5/m", "0/m", 0, -1, True, "1e6/h", "nan", "inf", "5/", "/m", "٣/m", "0.00001/h",
     "9" * 15, "9" * 400, LONG, *NOT_FINITE, *ODD],
)  # fmt: skip
OPTIONS = {
    "bind": FLAG,
    "aliases": Kind([((), ()), (["a", "b"], ("a", "b")), ({"a"}, ("a",))], ["old.name", b"old", [""], ["a,b"], [5], 5]),
    "queue": NAME,
    "max_retries": COUNT.or_none(),
    "default_retry_delay": NOT_NEGATIVE,
    "autoretry_for": EXCEPTIONS,
    "dont_autoretry_for": EXCEPTIONS,
    "retry_backoff": BACKOFF,
    "retry_backoff_max": NOT_NEGATIVE,
    "retry_jitter": FLAG,
    "rate_limit": RATE,
    "max_concurrency": COUNT.or_none().but(0),
    "unique": Kind([(None, None), (UNIQUE, UNIQUE)], ["user_id", True, 5, ("user_id",), {"a"}, Unique]),
    "time_limit": SPAN,
    "soft_time_limit": SPAN,
    "expires": SPAN,
    "ignore_result": FLAG,
    "result_expires": SPAN,
    "acks_late": FLAG,
    "raises": EXCEPTIONS,
    "process": Kind(same(False), FLAG.wrong),
    "strict": FLAG,
    "on_success": HOOK,
    "on_failure": HOOK,
    "on_retry": HOOK,
}


def test_every_option_has_a_row() -> None:
    assert OPTIONS.keys() == {field.name for field in fields(TaskOptions)}


async def nothing(*args: Any) -> None: ...


@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_is_taken_as_it_is_meant_or_refused_at_import(option: str) -> None:
    for value in OPTIONS[option].wrong:
        with pytest.raises(SettingsMistake) as refused:
            task(name="options.never", **{option: value})  # type: ignore[call-overload]
        text = str(refused.value)
        assert option in text
        assert len(text) < 300
        assert text.isprintable()
    assert "options.never" not in registered()
    for value, meant in OPTIONS[option].right:
        made = task(name="options.taken", **{option: value})(nothing)  # type: ignore[call-overload]
        forget("options.taken")
        assert getattr(made.options, option) == meant
        assert getattr(made.with_options(**{option: value}).options, option) == meant


@pytest.mark.parametrize("name", [*NAME.wrong[:-7], ""])
def test_a_task_has_a_name_that_workers_can_report(name: Any) -> None:
    if name is not None:
        with pytest.raises(SettingsMistake, match="name="):
            task(name=name)(nothing)


def test_a_thread_cannot_be_told_of_a_soft_limit() -> None:
    with pytest.raises(SettingsMistake, match="cannot reach into a thread"):

        @task(name="options.never", soft_time_limit=1)
        def plain() -> None: ...


def test_a_coroutine_cannot_run_in_a_process() -> None:
    with pytest.raises(SettingsMistake, match="process=True is for a plain def"):

        @task(name="options.never", process=True)
        async def coroutine() -> None: ...


@pytest.mark.parametrize("function", ["tests.name", 5, None])
def test_what_is_no_function_is_no_task(function: Any) -> None:
    with pytest.raises(SettingsMistake, match="give a function"):
        task(name="options.never")(function)


def test_a_refused_task_is_not_registered() -> None:
    assert "options.never" not in registered()


def test_what_is_left_of_arq_in_a_task_is_refused() -> None:
    for bound, function in ((False, lambda ctx, a: a), (True, lambda: 1), (True, lambda *, a: a)):
        with pytest.raises(SettingsMistake, match="bind=True"):
            task(name="options.never", bind=bound)(function)  # type: ignore[call-overload]
    assert "options.never" not in registered()
    task(name="options.taken")(lambda ctx=None: ctx)
    forget("options.taken")


async def test_a_call_in_arqs_words_is_answered_with_ours() -> None:
    made = task(name="options.taken", bind=True)(lambda self: self["redis"])
    forget("options.taken")

    with pytest.raises(TypeError, match=r"_defer_by= is an option: use apply_async\(\.\.\., countdown="):
        made.parameters.check((), {"_defer_by": 3})
    with pytest.raises(TypeError, match=r"write self\.ctx\['redis'\]"):
        await made()
    with pytest.raises(TypeError, match=r"self\.retry\(countdown=\.\.\.\), or raise arq\.Retry"):
        Retry(defer=5)
    again = task(name="options.taken", bind=True)(lambda self: self.retry())
    forget("options.taken")
    with pytest.raises(MaxRetriesExceeded, match="it was called directly"):
        await again()

"""A wrong option of any public function, and an attribute that Celery has, are answered with what to write."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

import jobs
from jobs import blocking, crontab, every, limits, schedules, task, worker_settings
from jobs.client.connection import JobsRedis
from jobs.contrib.other_names import ATTRIBUTES
from jobs.tasks.blocking_calls import BlockingJob, BlockingResult
from jobs.tasks.current import CurrentJob, Request
from jobs.testing import eager
from jobs.worker.execution.claimed_job import JobOnWorker


@task(name="wrong_names.work")
async def work(x: int) -> int:
    return x


@task(name="wrong_names.again", bind=True)
async def again(self: CurrentJob, **options: Any) -> None:
    self.retry(**options)


def misspelt() -> Iterator[tuple[Callable[..., Any], str]]:
    """Every public function with options that it names itself, and one of them."""
    classes = (jobs.Result, BlockingResult, BlockingJob, CurrentJob, JobsRedis, jobs.Task, crontab, every)
    functions = [getattr(jobs, name) for name in jobs.__all__ if inspect.isfunction(getattr(jobs, name))]
    functions += [blocking.connect, blocking.first, blocking.send_task, eager]
    functions += [
        member for cls in classes for name, member in vars(cls).items() if name[0] != "_" and callable(member)
    ]
    functions += [crontab, every]
    functions += [
        getattr(module, name) for module in (limits, schedules) for name in module.__all__ if name != "blocking"
    ]
    for function in functions:
        parameters = inspect.signature(function).parameters.values()
        named = [one.name for one in parameters if one.default is not one.empty]
        if named and not any(one.kind is one.VAR_KEYWORD for one in parameters):
            yield function, named[0]


@pytest.mark.parametrize(("function", "option"), [pytest.param(*case, id=case[0].__qualname__) for case in misspelt()])
def test_a_misspelt_option_is_refused_naming_the_near_one(function: Callable[..., Any], option: str) -> None:
    wrong = option[:-1] + "_" + option[-1]

    with pytest.raises(TypeError, match=rf"\(\) has no option '{wrong}'; did you mean '{option}'\?"):
        function(**{wrong: 1})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: crontab(work, second=20), "has no option 'second'; write every(task, timedelta(seconds=20))"),  # type: ignore[call-arg]
        (lambda: crontab(work, minutes=0), "crontab() has no option 'minutes'; did you mean 'minute'?"),  # type: ignore[call-arg]
        (lambda: every(), "every(): missing a required argument: 'task'; write every(task, ...)"),  # type: ignore[call-arg]
        (lambda: every(work, timedelta(1), queue="x"), "every() has no option 'queue'; give it to @task(queue=...)"),  # type: ignore[call-arg]
        (lambda: worker_settings(tasks=[work]), "'redis_url'; write worker_settings(redis_url=..., ...)"),  # type: ignore[call-arg]
        (lambda: worker_settings([work]), "too many positional arguments; write worker_settings(redis_url=..., ...)"),  # type: ignore[misc]
        (lambda: schedules.list("x"), "too many positional arguments; write list(containing=..., start=..., most=...)"),  # type: ignore[misc]
        (
            lambda: schedules.blocking.put("x", work.s(4), every(timedelta(1)), "skip"),
            "too many positional arguments; write put(name, call, when, overlap=..., jitter=...)",
        ),
        (lambda: limits.set("x", 5, 7), "too many positional arguments; write set(task, most, **key)"),  # type: ignore[call-arg]
        (
            lambda: CurrentJob(work, Request("x", "y")).run(work, 5),  # type: ignore[call-overload]
            "write run(call, name=..., key=..., **options), and work.s(...) for work and its arguments",
        ),
        (
            lambda: jobs.Result("x").get(1, True, 2),
            "too many positional arguments; write get(timeout=..., propagate=...)",
        ),  # type: ignore[call-overload]
        (lambda: jobs.Result("x").blocking.revoke(signal="KILL"), "no option 'signal'; leave it out: terminate=True"),  # type: ignore[call-arg]
        (lambda: blocking.connect("redis://x", mddleware=[]), "no option 'mddleware' of a connection"),  # type: ignore[call-arg]
        (lambda: blocking.connect("redis://x", mddleware=[]), "; did you mean 'middleware'?"),  # type: ignore[call-arg]
    ],
)
def test_a_wrong_call_is_answered_with_the_right_one(call: Callable[[], Any], text: str) -> None:
    with pytest.raises((TypeError, jobs.SettingsMistake), match=re.escape(text)):
        call()


async def test_a_retry_with_other_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match=r"retry\(\) has no option 'args'; leave it out: the job runs again with the"):
        await again(args=(1,))


def test_a_type_error_from_inside_stays_as_it_is() -> None:
    with pytest.raises(TypeError, match="timeout='soon': give seconds"):
        jobs.Result("x").blocking.get(timeout="soon")  # type: ignore[call-overload]


OBJECTS = {
    "Result": jobs.Result("x"),
    "BlockingResult": jobs.Result("x").blocking,
    "Request": Request("x", "y"),
    "CurrentJob": CurrentJob(work, Request("x", "y")),
    "JobOnWorker": JobOnWorker(work, cast("Any", None)),
    "Task": work,
}


@pytest.mark.parametrize("made", OBJECTS)
def test_an_attribute_of_celery_is_answered_with_ours(made: str) -> None:
    found, kind = OBJECTS[made], made.replace("JobOnWorker", "CurrentJob")

    for name in ATTRIBUTES[kind]:
        with pytest.raises(AttributeError) as missing:
            getattr(found, name)

        assert str(missing.value) == f"{kind!r} object has no attribute {name!r}: {ATTRIBUTES[kind][name]}"
        for ours in re.findall(r"`(?:self\.)?(\w+)[.(`]", ATTRIBUTES[kind][name]):
            assert ours in ("await", "finished", "history", "self", "task") or hasattr(found, ours)


def test_any_other_attribute_is_missing_as_everywhere() -> None:
    with pytest.raises(AttributeError, match=r"^'Result' object has no attribute 'reslt'$"):
        jobs.Result("x").reslt  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(work, "nothing")

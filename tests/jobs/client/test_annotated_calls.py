"""Values of annotated types arrive by every way in which a task is called, and come back by every way of its result."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import traceback
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import (
    CurrentJob,
    DoesNotFit,
    EncodingError,
    Middleware,
    OutgoingCall,
    Result,
    SettingsMistake,
    connect,
    crontab,
    every,
    group,
    send_task,
    signature,
    task,
)  # fmt: skip
from jobs.store import default
from jobs.store.call import LARGE_LIMIT, Call
from jobs.testing import Workers, assert_enqueued, eager, enqueued
from settings import ROOT
from tests.jobs import annotated_tasks as tasks
from tests.jobs.annotated_tasks import LINE, ORDER, WAYS, Colour, Line, Order, echo, make
from tests.registered_tasks import forget

if TYPE_CHECKING:
    from tests.jobs.annotated_tasks import Money


def same(found: Any, expected: Any) -> bool:
    """Of an order that a retried task returns, its number."""
    return bool(found == expected or (isinstance(found, Order) and found.id == expected.id and found.inner == [LINE]))


def check_seen(name: str) -> None:
    for types in tasks.seen:
        assert set(types) <= {Order, Line, type(None)} or name == "link_error", f"{name}: {types}"
    if name == "link_error":
        assert tasks.seen == [(dict, Order)]  # the request has what was sent
    tasks.seen.clear()


async def test_every_way(jobs_worker: Workers) -> None:
    async with jobs_worker(tasks=tasks.ALL):
        for name, (way, expected) in WAYS.items():
            found = await way()
            found = await found if isinstance(found, Result) else found
            await jobs_worker.until_idle()
            assert expected is None or same(found, expected), f"{name}: {found}"
            check_seen(name)


async def test_every_way_in_eager_mode() -> None:
    with eager():
        for name, (way, expected) in WAYS.items():
            if name in ("as_completed", "enqueue_job"):  # which need a Redis
                continue
            found = await way()
            found = await found if isinstance(found, Result) else found
            assert expected is None or same(found, expected), f"{name}: {found}"
            check_seen(name)


async def test_a_direct_call_and_a_workflow_here_take_the_values_themselves() -> None:
    assert await echo(ORDER) == [1, "a"]
    assert await (make.s(3) | echo.s(ORDER))() == [3, 1, "a"]
    assert (await make(1)).inner == [LINE]
    tasks.seen.clear()


async def test_a_failed_workflow_begins_again_with_what_was_sent(jobs_worker: Workers) -> None:
    broken = {"on": True}

    @task(name="annotated.mended")
    async def mended(order: Order, other: Order) -> Order:
        if broken["on"]:
            raise ValueError("not yet")
        return order

    try:
        async with jobs_worker(tasks=[make, mended]):
            result = await (make.s(1) | mended.s(ORDER)).delay()
            with pytest.raises(ValueError, match="not yet"):
                await result
            broken["on"] = False
            assert await result.retry_failed()
            assert await result == make.function(1)
    finally:
        forget("annotated.mended")


async def test_schedules_take_them() -> None:
    for schedule in (crontab(echo, args=(ORDER,), kwargs={"x": LINE}), every(echo, timedelta(hours=1), args=(ORDER,))):
        assert type(schedule.args[0]) is dict
    assert crontab("annotated.echo", args=(ORDER,)).args[0]["id"] == 1
    with pytest.raises(SettingsMistake, match=r"pass dataclasses\.asdict"):
        crontab("annotated.unheard_of", args=(ORDER,))


class Watching(Middleware):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def send(self, call: OutgoingCall, call_next: Any) -> Any:
        self.seen.append(type(call.args[0]))
        return await call_next(call)

    async def run(self, job: CurrentJob, call_next: Any) -> Any:
        value = await call_next(job)
        self.seen += [type(job.request.args[0]), type(value)]
        return value


async def test_middleware_sees_what_the_task_sees() -> None:
    watching = Watching()
    with eager(middleware=[watching]):
        await tasks.in_process.delay(ORDER)

    assert watching.seen == [Order, Order, Order]


async def test_what_waits_is_plain_data(redis: Any, redis_url: str) -> None:
    async with connect(redis_url):
        await echo.delay(ORDER, line=LINE)
        [job] = await enqueued()
        await assert_enqueued(echo, args=(ORDER,), kwargs={"line": LINE}, count=1)
        await assert_enqueued(echo, args=(ORDER,))

    assert type(job.args[0]) is dict
    assert job.args[0]["file"] == "x"
    assert job.kwargs == {"line": {"sku": "a", "price": LINE.price, "tags": LINE.tags}}


# What does not fit


@task(name="annotated.strict", strict=True)
async def strict(number: int, names: list[str], order: Order, ratio: float = 1) -> int:
    return number if number else None  # type: ignore[return-value]  # that is the point


async def test_strict_checks_arguments_and_the_result() -> None:
    with eager():
        assert await (await strict.delay(1, ["a"], ORDER, 2)) == 1
        for args in (("1", [], ORDER), (1, ("a",), ORDER), (1, [2], ORDER), (1, [], LINE), (1, [], ORDER, "2")):
            with pytest.raises(DoesNotFit, match=r"annotated.strict: argument '\w+': .*is expected, not"):
                await strict.delay(*args)  # type: ignore[arg-type]
        with pytest.raises(DoesNotFit, match=r"annotated\.strict: its result: int is expected, not NoneType"):
            await (await strict.delay(0, [], ORDER))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([{"inner": []}], "argument 'order': its 'id' is missing and has no default"),
        ([{"id": 1, "inner": [{"sku": "x"}, {}]}], r"at .inner\[1\]: its 'sku' is missing"),
        ([{"id": 1, "inner": [], "colour": "hunter2"}], "at .colour: Colour does not take it"),
        ([{"id": 1, "inner": [], "file": 7}], "at .file: Path or NoneType is expected, not int"),
        ([[1, 2]], "argument 'order': Order is expected, not list"),
        ([{"id": 1, "inner": []}, "text"], "argument 'more': Order is expected, not str"),
        ([{"id": 1, "inner": [], "sizes": {9: []}}], r"at .sizes\[9\]: Size does not take it"),
    ],
)
async def test_hostile_data_fails_at_once_and_shows_no_value(sent: list[Any], why: str) -> None:
    @task(name="annotated.stubborn", autoretry_for=(Exception,), max_retries=9)
    async def stubborn(order: Order, *more: Order) -> None:
        raise AssertionError("it may not run")

    try:
        with eager():
            error = await (await sent_by_another("annotated.stubborn", *sent)).get(propagate=False)
    finally:
        forget("annotated.stubborn")

    assert isinstance(error, DoesNotFit)
    assert re.search(why, str(error)), error
    assert "hunter2" not in "".join(traceback.format_exception(error))


async def sent_by_another(name: str, *args: Any) -> Result:
    """A call whose arguments nobody has looked at."""
    redis = default.current()
    payload = redis.encode_call(name, args, {}, limit=LARGE_LIMIT)
    await redis.enqueue([Call("one", "default", payload, name)])
    return Result("one")


@pytest.mark.parametrize("levels", [60, 250])
async def test_what_is_nested_deep_is_read_or_refused(levels: int) -> None:
    order: Any = {"id": 0, "inner": []}
    for _ in range(levels):
        order = {"id": 1, "inner": [], "before": order}

    with eager():
        error = await (await sent_by_another("annotated.echo", order)).get(propagate=False)

    assert error == [1, "a"] or (levels > 64 and isinstance(error, DoesNotFit))


async def test_fields_that_this_code_does_not_know_are_left_out() -> None:
    with eager():
        job = await sent_by_another("annotated.echo", {"id": 1, "inner": [], "new": [1], "colour": "red"})
        assert await job == [1, "a"]


async def test_what_cannot_travel_is_refused_with_what_helps() -> None:
    @task(name="annotated.unknown")
    async def unknown(money: Money) -> None: ...

    refusals = {
        r"annotated.unannotated: argument 'value': .*, or annotate the parameter": (
            tasks.unannotated.delay, LINE),
        r"argument 'value': .*Colour.*; pass x.value, or annotate the parameter": (
            tasks.unannotated.delay, Colour.RED),
        r"its annotation 'Money' has a name that is not known here: import what it names outside": (
            unknown.delay, tasks.Money(1)),
        r"argument 1: a .*Order cannot be encoded.*; pass dataclasses": (
            lambda order: send_task("annotated.unheard_of", [order]), ORDER),
        r"a Special would arrive as Order: annotate it with Special": (echo.delay, Special(id=1, inner=[])),
    }  # fmt: skip
    try:
        with eager():
            for why, (call, value) in refusals.items():
                with pytest.raises(EncodingError, match=why):
                    await call(value)  # type: ignore[operator]
            with pytest.raises(EncodingError, match="or annotate"):
                await group(tasks.unannotated.s(LINE), make.s(1)).delay()
            with pytest.raises(DoesNotFit, match=r"annotated\.echo: argument 'order'"):
                await signature("annotated.echo", [5]).delay()
    finally:
        forget("annotated.unknown")


class Special(Order): ...


async def test_a_strict_task_with_an_unknown_annotation_says_so_at_the_call() -> None:
    @task(name="annotated.unchecked", strict=True)
    async def unchecked(money: Money) -> None: ...

    try:
        with eager(), pytest.raises(SettingsMistake, match=r"annotated\.unchecked: 'money' cannot be checked"):
            await unchecked.delay(1)  # type: ignore[arg-type]
    finally:
        forget("annotated.unchecked")


def odd(a: [int], b: "no type", c: no.such, *, d: {x: 1} = None, e: 5 = 5) -> neither:  # type: ignore[valid-type]  # noqa: F722, F821
    """As people annotate: nothing of it is a type."""


async def test_no_annotation_keeps_a_task_from_being_declared() -> None:
    try:
        with eager():
            assert await (await task(name="annotated.odd")(odd).delay([1], 2, 3, d=4)) is None
    finally:
        forget("annotated.odd")


class Callable:
    async def __call__(self, order: Order, /, **others: Line) -> list[str]:
        return [type(one).__name__ for one in (order, *others.values())]


@pytest.mark.parametrize("made_of", [Callable(), partial(Callable.__call__, None)])
async def test_parameters_of_objects_and_partials_are_found(made_of: Any) -> None:
    called = task(name="annotated.object")(made_of)
    try:
        with eager():
            job = await called.delay(ORDER, order=LINE, **{"return": LINE, "others": LINE})
            assert await job == ["Order", "Line", "Line", "Line"]
    finally:
        forget("annotated.object")


@dataclass
class Holder:
    money: Money


@dataclass
class Outer:
    value: Any
    inner: Holder | None = None


@dataclass
class Loose:
    value: Any


async def test_a_class_whose_fields_are_unknown_here_leaves_each_parameter_as_it_was() -> None:
    @task(name="annotated.twice")
    async def twice(a: Outer, b: Outer) -> list[type]:
        return [type(a).__name__, type(b).__name__]  # type: ignore[list-item]

    try:
        with eager():
            assert await (await twice.delay({"value": 1}, {"value": 2})) == ["dict", "dict"]  # type: ignore[arg-type]
    finally:
        forget("annotated.twice")


async def test_an_error_names_the_value_inside_that_cannot_travel() -> None:
    @task(name="annotated.loose")
    async def loose(a: Loose) -> None: ...

    try:
        with eager(), pytest.raises(EncodingError, match=r"argument 'a': a tests\.\S+Special cannot be encoded"):
            await loose.delay(Loose(Special(id=1, inner=[])))
    finally:
        forget("annotated.loose")


async def test_exceptions_come_to_tasks_that_are_annotated_with_them() -> None:
    heard = []

    @task(name="annotated.collect", strict=True)
    async def collect(results: list[Order | BaseException]) -> int:
        return len(results)

    @task(name="annotated.hear", strict=True)
    async def hear(request: Any, error: Exception, traceback: str) -> None:
        heard.append(type(error))

    try:
        with eager():
            both = group(make.s(1), tasks.fails.s(ORDER), return_exceptions=True)
            assert await (await (both | collect.s()).delay()) == 2
            await (await tasks.fails.apply_async((ORDER,), link_error=hear.s())).get(propagate=False)
    finally:
        forget("annotated.collect")
        forget("annotated.hear")
    assert heard == [ValueError]


@pytest.mark.parametrize("options", [{}, {"time_limit": 5}])
async def test_hooks_and_middleware_hear_of_what_does_not_fit(options: Any) -> None:
    heard: list[Any] = []

    class Hearing(Middleware):
        async def run(self, job: CurrentJob, call_next: Any) -> Any:
            try:
                return await call_next(job)
            except DoesNotFit:
                heard.append(job.request.args)
                raise

    def note(job: CurrentJob, outcome: Any) -> None:
        heard.append(type(outcome))

    @task(name="annotated.hooked", on_success=note, on_failure=note, **options)
    async def hooked(order: Order) -> list[Order]:
        return [5]  # type: ignore[list-item]  # that is the point

    try:
        with eager(middleware=[Hearing()]):
            for sent in (5, {"id": 1, "inner": []}):
                await (await sent_by_another("annotated.hooked", sent)).get(propagate=False)
                await Result("one").forget()
    finally:
        forget("annotated.hooked")
    assert heard == [DoesNotFit, (5,), DoesNotFit, (Order(id=1, inner=[]),)]


async def test_a_task_with_a_process_is_not_started_with_what_does_not_fit() -> None:
    with eager():
        error = await (await sent_by_another("annotated.in_process", 5)).get(propagate=False)

    assert isinstance(error, DoesNotFit)
    assert "argument 'order': Order is expected" in str(error)


async def test_a_result_that_is_not_kept_is_none_and_a_group_of_another_size_is_refused() -> None:
    @task(name="annotated.ignored", strict=True, ignore_result=True)
    async def ignored() -> int:
        return 1

    try:
        with eager():
            assert await (await ignored.delay()) is None
            await group(make.s(1), make.s(2)).apply_async(task_id="same")
            with pytest.raises(DoesNotFit, match="this id is that of another call: 1 results are expected"):
                await (await group(make.s(1)).apply_async(task_id="same"))
    finally:
        forget("annotated.ignored")


# Any value


@task(name="annotated.give_back")
async def give_back(order: Order, *sizes: tasks.Size, pairs: list[tasks.Pair]) -> list[Order]:
    assert all(type(size) is tasks.Size for size in sizes)
    assert all(type(pair) is tasks.Pair for pair in pairs)
    return [order]


paths = st.lists(st.text("ab.", min_size=1), max_size=3).map(lambda parts: Path(*parts))
lines = st.builds(Line, st.text(), st.decimals(allow_nan=False), st.frozensets(st.text(max_size=3)))
colours, sizes = st.sampled_from(Colour), st.sampled_from(tasks.Size)
orders = st.recursive(
    st.none(),
    lambda inner: st.builds(
        Order, id=st.integers(), inner=st.lists(lines, max_size=3), colour=colours, at=st.none() | st.datetimes(),
        file=st.none() | paths, before=inner, sizes=st.dictionaries(sizes, st.lists(lines, max_size=2).map(tuple)),
    ),
    max_leaves=4,
).filter(bool)  # fmt: skip


@given(orders, st.lists(sizes), st.lists(st.builds(tasks.Pair, paths)))
@settings(deadline=None, max_examples=60)
def test_any_value_arrives_equal(order: Order, many: list[tasks.Size], pairs: list[tasks.Pair]) -> None:
    async def call() -> list[Order]:
        return await (await give_back.delay(order, *many, pairs=pairs))

    with eager():
        assert asyncio.run(call()) == [order]


# What nobody asked for costs nothing

COUNTED = """
import asyncio, re, sys
from jobs import task
from jobs.testing import eager

@task(name="cost.plain")
async def plain(x: int, names: list[str] = ()) -> dict[str, int]: return {}

async def calls():
    found = set()
    def note(frame, event, arg):
        if re.search("shapes/|annotations.py|plain_data.py", frame.f_code.co_filename):
            found.add(frame.f_code.co_name)
    with eager():
        sys.setprofile(note)
        await (await plain.delay(1)).get()
        sys.setprofile(None)
    print(sorted(found), [name for name in ("pydantic", "msgspec", "attr") if name in sys.modules])

asyncio.run(calls())
"""


def test_a_task_without_such_annotations_runs_none_of_the_code() -> None:
    ran = subprocess.run([sys.executable, "-c", COUNTED], cwd=ROOT, capture_output=True, text=True)

    assert ran.stdout == "[] []\n", ran.stdout + ran.stderr

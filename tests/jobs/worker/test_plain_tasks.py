"""What a plain `def` task may do: nothing that it calls is lost, and every kind of callable runs or is refused."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

import jobs
import jobs.monitor
import jobs.testing
from jobs import CurrentJob, Result, chord, connect, first, group, send_task, signature, task
from jobs.client.connection import JobsRedis
from jobs.contrib.testing.eager_mode import EagerRedis
from jobs.errors import NotAwaited, SettingsMistake, TaskRevoked
from jobs.monitor_site import model
from jobs.monitor_site.model import actions
from jobs.tasks import registry
from jobs.testing import eager
from jobs.values import calls
from jobs.values.calls import Awaited
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.registered_tasks import forget

T = 10
other = tasks.multiply
redis_client = JobsRedis.at("unix:///nonexistent")

LOST: dict[str, Callable[[Any], Any]] = {
    "the task itself": lambda self: other(1, 1),
    "delay": lambda self: other.delay(1, 1),
    "apply_async": lambda self: other.apply_async((1, 1), countdown=1),
    "apply_many": lambda self: other.apply_many([(1, 1)]),
    "send_task": lambda self: send_task("tests.multiply", (1, 1)),
    "a signature here": lambda self: other.s(1)(1),
    "a signature": lambda self: other.s(1, 1).delay(),
    "a signature by name": lambda self: signature("tests.multiply", (1, 1)).apply_async(),
    "map": lambda self: other.map([1]).delay(),
    "a chain": lambda self: (other.s(1, 1) | other.s(1)).delay(),
    "a chain here": lambda self: (other.s(1, 1) | other.s(1))(),
    "a group": lambda self: group(other.s(1, 1)).apply_async(countdown=1),
    "a chord": lambda self: chord([other.s(1, 1)], other.s(1)).delay(),
    "a chord here": lambda self: chord([other.s(1, 1)], other.s(1))(),
    "update_state": lambda self: self.update_state(meta=1),
    "update_state of current_job": lambda self: jobs.current_job().update_state(meta=1),
    "first": lambda self: first([Result("a")]),
    "get": lambda self: Result("a").get(timeout=1),
    "revoke": lambda self: Result("a").revoke(),
    "reschedule": lambda self: Result("a").reschedule(datetime.now(UTC)),
    "forget": lambda self: Result("a").forget(),
    "enqueue_job": lambda self: redis_client.enqueue_job("count"),
    "a command of the connection": lambda self: redis_client.set("a", 1),
    "run_schedule": lambda self: jobs.monitor.run_schedule(redis_client, "a"),
    "an action of the monitor": lambda self: actions.revoke(redis_client, "a"),
    "below the task": lambda self: (lambda: [other.delay(n, 1) for n in range(3)])(),
}


INSTEAD = {
    "delay": "multiply.blocking.delay",
    "apply_async": "multiply.blocking.apply_async",
    "apply_many": "multiply.blocking.apply_many",
    "send_task": "blocking.send_task",
    "a signature": "multiply.s(...).blocking.delay",
    "a signature by name": "multiply.s(...).blocking.apply_async",
    "map": "map.s(...).blocking.delay",
    "a chain": "chain(...).blocking.delay",
    "a group": "group(...).blocking.apply_async",
    "a chord": "chord(...).blocking.delay",
    "update_state": "self.blocking.update_state",
    "update_state of current_job": "self.blocking.update_state",
    "first": "blocking.first",
    "get": "result.blocking.get",
    "revoke": "result.blocking.revoke",
    "reschedule": "result.blocking.reschedule",
    "forget": "result.blocking.forget",
    "below the task": "multiply.blocking.delay",
}
"""What has a blocking form."""
OTHERWISE = "make it `async def` and write `await ...`, or give asyncio.run() an `async def` of your own that awaits it"


OF_CALLS = f"move the code that both need into a plain function, or {OTHERWISE}"
"""Of what is called as a function."""


def what_was_lost(self: CurrentJob) -> dict[str, str]:
    answers = {}
    for name, call in LOST.items():
        try:
            answers[name] = repr(call(self))
        except NotAwaited as error:
            answers[name] = str(error)
    return answers


in_thread = task(name="plain.in_thread", bind=True)(what_was_lost)
in_process = task(name="plain.in_process", bind=True, process=True)(what_was_lost)


@task(name="plain.fire")
def fire() -> None:
    other.delay(1, 1)


async def call_and_report(self: CurrentJob, n: int) -> int:
    await self.update_state(meta={"n": n})
    result = await other.delay(n, n)
    return int(await result.get(timeout=T)) + int(await (await group(other.s(n, 1)).delay()).get(timeout=T) != [n])


@task(name="plain.runs_a_loop", bind=True)
def runs_a_loop(self: CurrentJob, n: int) -> int:
    return asyncio.run(call_and_report(self, n))


async def call_connected(url: str) -> int:
    async with connect(url):
        return int(await (await other.delay(2, 3)).get(timeout=T))


@task(name="plain.connects", process=True)
def connects(url: str) -> int:
    return asyncio.run(call_connected(url))


@task(name="plain.tries_again", bind=True, max_retries=2)
def tries_again(self: CurrentJob) -> int:
    if self.request.retries < 2:
        self.retry(countdown=0)
    return self.request.retries


ALL = [*tasks.ALL, in_thread, in_process, fire, runs_a_loop, connects, tries_again]


@pytest.mark.parametrize("where", [in_thread, in_process], ids=lambda where: where.name)
async def test_what_nothing_awaits_is_refused_at_the_call(
    where: jobs.Task[[], Any], start_worker: StartWorker, redis: Redis
) -> None:
    await start_worker(tasks=ALL)

    answers = await (await where.delay()).get(timeout=2 * T)

    assert {name: said.rpartition(" cannot: ")[2] for name, said in answers.items()} == {
        name: f"write `{INSTEAD[name]}(...)`" if name in INSTEAD else OTHERWISE for name in LOST
    } | {name: OF_CALLS for name in LOST if name == "the task itself" or name.endswith(" here")}
    assert all(f"the plain def task '{where.name}'" in said for said in answers.values())


async def on_a_worker() -> None:
    await (await fire.delay()).get(timeout=T)


async def in_eager_mode() -> None:
    with eager():
        await (await fire.delay()).get()


@pytest.mark.parametrize("how", [on_a_worker, in_eager_mode, fire], ids=lambda how: how.__name__)
async def test_a_plain_task_whose_call_would_be_lost_fails(
    how: Callable[[], Awaitable[None]], start_worker: StartWorker
) -> None:
    await start_worker(tasks=ALL)

    with pytest.raises(
        NotAwaited, match=r"Task\.delay\(\) must be awaited, and the plain def task 'plain\.fire' cannot"
    ):
        await how()


def public_coroutine_functions() -> Iterator[tuple[str, Any]]:
    """What `jobs`, `jobs.testing` and the actions of `jobs.monitor` offer, and what a job or a connection has."""
    offered = [getattr(module, name) for module in (jobs, jobs.testing) for name in module.__all__]
    seen = [getattr(jobs.monitor, name) for name in jobs.monitor.__all__]
    modules = {f"{model.__name__}.{name}" for name in ("actions", "durable_steps", "limits", "stored_schedules")}
    acting = [item for item in seen if item.__module__ in modules]
    assert {item.__module__ for item in acting} == modules
    for item in [*offered, *acting, CurrentJob, EagerRedis, jobs.workflows.canvas.Node]:
        members = vars(item).items() if inspect.isclass(item) else [(item.__name__, item)] if callable(item) else []
        for name, member in members:
            if inspect.iscoroutinefunction(member) and (name == "__call__" or not name.startswith("_")):
                yield f"{getattr(item, '__name__', item)}.{name}", member


def test_no_call_of_the_library_can_be_lost_so() -> None:
    found = dict(public_coroutine_functions())

    assert len(found) > 40
    connections = [f"{cls}.{name}" for cls in ("JobsRedis", "EagerRedis") for name in calls.INNER]
    called_by_us = {"Task.run", "Middleware.send", "Middleware.run", "cancel_until_ended.cancel_until_ended"}
    internal = {*called_by_us, *connections} & found.keys()
    assert {name for name, member in found.items() if not isinstance(member, Awaited)} == internal


@pytest.mark.parametrize("call", [other.delay, send_task, Result("a").get, other.s(1).apply_async, first])
def test_frameworks_see_that_it_may_be_awaited(call: Any) -> None:
    assert inspect.iscoroutinefunction(call)
    assert "self" not in inspect.signature(call).parameters


async def test_a_loop_in_the_thread_of_a_plain_task_calls_reports_and_waits(start_worker: StartWorker) -> None:
    await start_worker(tasks=ALL, max_jobs=12)

    results = await runs_a_loop.apply_many([(n,) for n in range(6)])

    assert [await result.get(timeout=T) for result in results] == [n * n for n in range(6)]
    assert [await result.meta() for result in results] == [{"n": n} for n in range(6)]


async def test_a_loop_in_the_process_of_a_plain_task_connects_itself(redis_url: str, start_worker: StartWorker) -> None:
    await start_worker(tasks=ALL)

    assert await (await connects.delay(redis_url)).get(timeout=3 * T) == 6


async def test_a_plain_task_tries_again(start_worker: StartWorker) -> None:
    await start_worker(tasks=ALL)

    assert await (await tries_again.delay()).get(timeout=T) == 2


ran: list[str] = []


async def coroutine_function(*args: Any) -> str:
    await asyncio.sleep(0)
    ran.append("x")
    return "ran"


def plain_function(*args: Any) -> str:
    ran.append("x")
    return "ran"


@functools.wraps(coroutine_function)
def wrapped(*args: Any) -> Any:
    return coroutine_function(*args)


async def twice_async(*args: Any) -> Any:
    return coroutine_function(*args)


class Later:
    """An awaitable of somebody's own."""

    def __await__(self) -> Any:
        return coroutine_function().__await__()


class AsyncObject:
    async def __call__(self, *args: Any) -> str:
        return await coroutine_function()

    async def method(self, *args: Any) -> str:
        return await coroutine_function()


class PlainObject:
    def __call__(self, *args: Any) -> str:
        return plain_function()


RUN: dict[str, Callable[..., Any]] = {
    "def": plain_function,
    "async def": coroutine_function,
    "sync decorator around async def": wrapped,
    "lambda around async def": lambda *args: coroutine_function(),
    "async def returning a coroutine": twice_async,
    "an awaitable": lambda *args: Later(),
    "partial of async def": functools.partial(coroutine_function),
    "partial of a decorated one": functools.partial(wrapped),
    "partial of def": functools.partial(plain_function),
    "object with async __call__": AsyncObject(),
    "partial of such an object": functools.partial(AsyncObject()),
    "object with __call__": PlainObject(),
    "bound async method": AsyncObject().method,
}


def generator(*args: Any) -> Iterator[int]:
    ran.append("x")
    yield 1


async def async_generator(*args: Any) -> AsyncIterator[int]:
    ran.append("x")
    yield 1


class YieldingObject:
    def __call__(self, *args: Any) -> Iterator[int]:
        yield 1


YIELD: dict[str, Callable[..., Any]] = {
    "generator": generator,
    "async generator": async_generator,
    "partial of a generator": functools.partial(generator),
    "partial of an async generator": functools.partial(async_generator),
    "object that yields": YieldingObject(),
}
GIVES_A_GENERATOR: dict[str, Callable[..., Any]] = {
    "def that gives a generator": lambda *args: generator(),
    "def that gives an async generator": lambda *args: async_generator(),
    "generator expression": lambda *args: (n for n in range(3)),
    "map": lambda *args: map(plain_function, [1]),
    "zip": lambda *args: zip(map(plain_function, [1]), strict=True),
    "enumerate": lambda *args: enumerate(generator()),
    "itertools": lambda *args: itertools.chain(generator()),
    "starmap": lambda *args: itertools.starmap(plain_function, [(1,)]),
    "list of coroutines": lambda *args: [coroutine_function()],
    "tuple of coroutines": lambda *args: (1, coroutine_function()),
    "a coroutine that gives a generator": lambda *args: async_gives(),
}


async def async_gives() -> Any:
    return generator()


MADE: dict[str, jobs.Task[Any, Any]] = {}


def make_all() -> None:
    """Every kind with every combination of the options that change how it runs."""
    for kind, function in {**RUN, **GIVES_A_GENERATOR}.items():
        for ignore in (False, True):
            for bind in (False, True):
                for process in (False, True):
                    name = f"plain.{kind}.{ignore:d}{bind:d}{process:d}"
                    if not (process and jobs.client.callables.is_async(function)):
                        made = task(name=name, ignore_result=ignore, bind=bind, process=process)(function)
                        MADE[name] = made


make_all()


async def test_lists_of_what_has_run_are_results() -> None:
    async def listed() -> list[Any]:
        return [1, (2,)]

    assert await jobs.client.callables.finished("t", listed()) == [1, (2,)]
    assert not jobs.client.callables.is_unfinished([Result("x")])


async def test_every_kind_of_callable_runs_or_fails_but_never_succeeds_unrun(start_worker: StartWorker) -> None:
    await start_worker(tasks=MADE.values())
    ran.clear()
    results = {name: await made.delay() for name, made in MADE.items()}

    for name, result in results.items():
        _, kind, options = name.split(".")
        value = await result.get(timeout=3 * T, propagate=False)
        if kind in RUN:
            assert value == (None if options[0] == "1" else "ran"), name
        else:
            assert isinstance(value, TypeError), name
            assert "of which nothing has run" in str(value), name
            assert await result.state() == "FAILURE"
    assert len(ran) == sum(name.split(".")[1] in RUN and name[-1] == "0" for name in MADE)


@pytest.mark.parametrize("kind", [kind for kind, function in RUN.items() if jobs.client.callables.is_async(function)])
def test_what_is_async_runs_in_no_process(kind: str) -> None:
    with pytest.raises(SettingsMistake, match="process=True is for a plain def"):
        task(name="plain.refused", process=True)(RUN[kind])


@pytest.mark.parametrize("options", [{}, {"ignore_result": True}, {"bind": True}, {"process": True}], ids=str)
@pytest.mark.parametrize("kind", YIELD)
def test_what_yields_is_refused_where_it_is_declared(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsMistake, match=r"^plain\.refused: a function that yields cannot be a task"):
        task(name="plain.refused", **options)(YIELD[kind])
    assert registry.find("plain.refused") is None


async def test_a_job_that_is_stopped_before_its_coroutine_was_awaited_leaves_none(connection: JobsRedis) -> None:
    started, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow() -> Any:
        loop.call_soon_threadsafe(started.set)
        go_on.wait()
        return coroutine_function()

    made = task(name="plain.slow")(slow)
    ran.clear()
    running = asyncio.create_task(made())
    await started.wait()
    running.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    forget("plain.slow")
    assert ran == []


async def test_a_revoked_plain_task_runs_on_and_its_worker_says_so(
    redis_url: str, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        go_on.wait()

    made = task(name="plain.slow")(slow)
    await start_worker(tasks=[made])
    result = await made.delay()
    await asyncio.to_thread(started.wait)
    await result.revoke(terminate=True)
    try:
        with pytest.raises(TaskRevoked):
            await result.get(timeout=T)
        assert f"job {result.id}: its thread cannot be stopped, and keeps its slot until it ends" in caplog.text
    finally:
        go_on.set()
        forget("plain.slow")


async def test_a_task_may_end_with_the_result_of_another(redis_url: str, start_worker: StartWorker) -> None:
    """A Result can be awaited, but its job runs without that."""

    @task(name="plain.hands_on", ignore_result=True)
    async def hands_on() -> Any:
        return await other.apply_async((1, 1), countdown=3600)

    await start_worker(tasks=[*tasks.ALL, hands_on])
    assert await (await hands_on.delay()).get(timeout=T) is None
    forget("plain.hands_on")

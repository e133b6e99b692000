"""Headers travel to wherever a call leads; middleware is around every call that code makes and every run of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
from arq.worker import create_worker
from redis.asyncio import Redis

from jobs import (
    CurrentJob,
    EncodingError,
    Middleware,
    OutgoingCall,
    Result,
    SettingsMistake,
    WrongValue,
    chain,
    chord,
    connect,
    current_job,
    encoding,
    group,
    task,
    worker_settings,
)
from jobs.client.middleware import Run, Send
from jobs.monitor import retry
from jobs.tasks.call_options import inherited
from jobs.testing import eager
from tests.waiting import wait_until

seen: dict[str, dict[str, str]] = {}


@task(name="middleware.look", max_retries=1, default_retry_delay=0)
async def look(*args: Any, name: str = "look") -> str:
    seen[name] = dict(current_job().request.headers)
    return name


@task(name="middleware.flaky", bind=True, default_retry_delay=0)
async def flaky(self: CurrentJob) -> None:
    seen[f"try {self.request.retries}"] = dict(self.request.headers)
    if self.request.retries < 2:
        raise self.retry()
    raise ValueError("as ever")


@task(name="middleware.change", bind=True)
async def change(self: CurrentJob, value: Any) -> None:
    self.headers["changed"] = value


@task(name="middleware.parent")
async def parent() -> None:
    await look.delay(name="child")


ALL = [look, flaky, change, parent]


@asynccontextmanager
async def working(url: str, *middleware: Middleware, **options: Any) -> AsyncIterator[None]:
    """A worker and a connection with this middleware."""
    seen.clear()
    settings = worker_settings(
        redis_url=url, tasks=[*ALL, spoil], handle_signals=False, middleware=middleware, **options
    )
    worker = create_worker(settings)
    worker.main_task = asyncio.create_task(worker.main())
    async with connect(url, middleware=middleware):
        yield
        await worker.close()


WAYS: dict[str, Callable[[Any], Any]] = {
    "a call": lambda h: look.apply_async((), headers=h),
    "a signature": lambda h: look.s().set(headers=h).delay(),
    "a bulk": lambda h: look.apply_many([()], headers=h),
    "a chain": lambda h: chain(look.si(name="first"), look.si()).apply_async(headers=h),
    "a nested chord": lambda h: (
        chain(chord([look.si(name="member")], look.si(name="body")), look.si()).set(headers=h).delay()
    ),
    "a callback": lambda h: look.apply_async((), {"name": "first"}, headers=h, link=look.si()),
    "a workflow as callback": lambda h: look.apply_async(
        (), {"name": "first"}, headers=h, link=chain(look.si(name="linked"), group(look.si()))
    ),
    "an error callback after retries": lambda h: flaky.apply_async(headers=h, link_error=look.si()),
    "an inner chain": lambda h: (
        chain(look.si(name="bare"), chain(look.si(name="in"), look.si()).set(headers=h)).delay()
    ),
    "a group as the body of a chord": lambda h: (
        chord([look.si(name="bare")], group(look.si(name="in"), look.si()).set(headers=h)).delay()
    ),
    "a chain as callback, of its own": lambda h: (
        look.apply_async((), {"name": "bare"}, link=chain(look.si(name="in"), look.si()).set(headers=h))
    ),
    "a map": lambda h: look.map(["look"]).set(headers=h).delay(),
    "a starmap in chunks": lambda h: look.chunks([(1,), (2,)], 1).apply_async(headers=h),
    "a signature without headers": lambda h: (
        chain(look.si(name="first").set(headers=None), look.si().set(headers=None)).apply_async(headers=h)
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["eager", "worker"])
@pytest.mark.parametrize("way", WAYS)
async def test_headers_travel_to_all_that_follows(redis_url: str, way: str, mode: str) -> None:
    headers = {"tenant": "7", "租户": "七"}
    if mode == "eager":
        seen.clear()
        with eager():
            await WAYS[way](headers)
    else:
        async with working(redis_url, poll_delay=0.2):
            await WAYS[way](headers)
            await wait_until(lambda: "look" in seen, "the last task to run")

    assert all(found == ({} if name == "bare" else headers) for name, found in seen.items()), seen


async def test_the_headers_of_a_call_win_over_those_it_inherits(redis_url: str) -> None:
    async with working(redis_url):
        own = {"a": "own", "b": "own"}
        steps = chain(look.si(name="own").set(headers=own), group(look.si(name="member").set(headers=own)), look.si())
        await (await steps.set(headers={"a": "all", "c": "all"}).apply_async(headers={"d": "call"})).get(timeout=5)
        await (
            await look.s().set(headers={"a": "1", "b": "1"}).apply_async((), {"name": "set"}, headers={"b": "2"})
        ).get()

    assert seen["own"] == seen["member"] == {"a": "own", "b": "own", "c": "all", "d": "call"}
    assert seen["look"] == {"a": "all", "c": "all", "d": "call"}
    assert seen["set"] == {"a": "1", "b": "2"}


async def test_a_task_changes_what_its_callbacks_inherit(redis_url: str) -> None:
    async with working(redis_url):
        await change.apply_async(("x",), headers={"a": "1"}, link=look.si())
        await wait_until(lambda: "look" in seen, "the callback")
        wrong = await change.delay(7)
        with pytest.raises(TypeError, match=r"self.headers\['changed'\]=7: give text"):
            await wrong.get(timeout=5)

    assert seen["look"] == {"a": "1", "changed": "x"}


async def test_a_job_that_is_run_again_by_hand_has_its_headers(redis_url: str) -> None:
    async with working(redis_url, max_tries=1):
        failed = await flaky.apply_async(headers={"a": "1"})
        with pytest.raises(Exception):  # noqa: B017, PT011
            await failed.get(timeout=5)
        seen.clear()
        async with connect(redis_url) as connection:
            await retry(connection, failed.id)
            await wait_until(lambda: "try 0" in seen, "the second run")

    assert seen["try 0"] == {"a": "1"}


@task(name="middleware.spoil", bind=True)
async def spoil(self: CurrentJob, fails: bool) -> None:
    self.headers = ODD[self.request.headers["odd"]]
    if fails:
        raise ValueError("as ever")


ODD: dict[str, Any] = {
    "object": {"a": object()},
    "surrogate": {"a": "\ud800"},
    "list": [1],
    "number": {"a": 7},
    "long": {"a": "x" * 9_000},
}


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("odd", ODD)
async def test_headers_that_a_task_spoils_lose_no_callback(redis_url: str, odd: str, fails: bool) -> None:
    expected: Any = (ValueError, "as ever") if fails else ((TypeError, WrongValue), "self.headers")
    async with working(redis_url):
        job = await spoil.apply_async((fails,), headers={"odd": odd}, link_error=look.si())
        with pytest.raises(expected[0], match=expected[1]):
            await job.get(timeout=5)
        await wait_until(lambda: "look" in seen, "the callback")

    assert seen["look"] == {"odd": odd}


def test_what_does_not_fit_is_not_inherited() -> None:
    given = {"a": "x" * 4_000, "b": "x" * 4_000}

    assert inherited(given, {"a": "own"}) == {"a": "own", "b": "x" * 4_000}
    assert inherited(given, {"c": "x" * 5_000}) == {"c": "x" * 5_000}
    assert inherited({**given, "d": "d"}, {"c": "x" * 200}) == {"c": "x" * 200, "a": "x" * 4_000, "d": "d"}


FOREIGN = [[1, 2], "abc", 7, None, {1: "a"}, {"a": 5, "b": "text"}, {"a": b"bytes"}]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_headers_that_somebody_else_wrote_harm_no_job(redis: Redis, redis_url: str, foreign: Any) -> None:
    async with connect(redis_url):
        job = await look.delay()
    payload = encoding.loads(await redis.get(f"arq:job:{job.id}"))
    await redis.set(f"arq:job:{job.id}", encoding.dumps({**payload, "h": foreign}))
    async with working(redis_url, Noted("n", [])):
        await wait_until(lambda: "look" in seen, "the job")

    assert seen["look"] == ({"b": "text"} if foreign == FOREIGN[5] else {})


class Changing(Middleware):
    async def send(self, call: OutgoingCall, call_next: Send) -> Result:
        call.headers["tenant"] = "changed"
        return await call_next(call)


async def test_what_send_changes_of_a_workflow_reaches_all_its_tasks(redis_url: str) -> None:
    async with working(redis_url, Changing()):
        steps = chain(look.si(name="first"), group(look.si(name="member")), look.si())
        await (await steps.apply_async(headers={"tenant": "given"})).get(timeout=5)

    assert set(seen) == {"first", "member", "look"}
    assert all(found == {"tenant": "changed"} for found in seen.values())


class Noted(Middleware):
    """Notes the order of events, and gives each call a header."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events

    async def send(self, call: OutgoingCall, call_next: Send) -> Result:
        self.events.append(f"{self.name} sends {call.task}")
        call.headers[self.name] = f"{len(call.headers)}"
        result = await call_next(call)
        self.events.append(f"{self.name} sent")
        return result

    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        self.events.append(f"{self.name} runs {job.name}")
        value = await call_next(job)
        self.events.append(f"{self.name} ran {value}")
        return value


@pytest.mark.parametrize("mode", ["eager", "worker"])
async def test_the_first_is_the_outermost(redis_url: str, mode: str) -> None:
    events: list[str] = []
    two = [Noted("a", events), Noted("b", events)]

    @asynccontextmanager
    async def around(job: CurrentJob) -> AsyncIterator[None]:
        events.append("around")
        yield

    entered: Any = working(redis_url, *two, around=around)
    if mode == "eager":
        entered = nullcontext()
    with eager(around, two) if mode == "eager" else nullcontext():
        async with entered:
            await (await look.delay()).get(timeout=5)

    sent = [event for event in events if "sen" in event]
    assert sent == ["a sends middleware.look", "b sends middleware.look", "b sent", "a sent"]
    assert [event for event in events if event not in sent] == [
        "a runs middleware.look", "b runs middleware.look", "around", "b ran look", "a ran look",
    ]  # fmt: skip
    assert seen["look"] == {"a": "0", "b": "1"}


async def test_what_a_task_calls_goes_through_the_worker_s_middleware(redis_url: str) -> None:
    events: list[str] = []
    async with working(redis_url, Noted("a", events)):
        await parent.delay()
        await wait_until(lambda: "a sent" in events[3:] and "child" in seen, "the child")

    assert "a sends middleware.look" in events
    assert seen["child"] == {"a": "0"}


class Strict(Middleware):
    """Refuses, answers, repeats or changes a call, by its first argument."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def send(self, call: OutgoingCall, call_next: Send) -> Result:
        async with self._lock, asyncio.timeout(5):
            return await self._send(call, call_next)

    async def _send(self, call: OutgoingCall, call_next: Send) -> Result:
        match call.args:
            case ("refuse",):
                raise PermissionError("not this one")
            case ("answer",):
                return Result("answered")
            case ("forget",):
                return None  # type: ignore[return-value]
            case ("refuse late",):
                await call_next(call)
                raise PermissionError("not this one")
            case ("repeat",):
                await call_next(call)
            case ("change",):
                call.args, call.kwargs = ("changed",), {"name": "changed"}
            case ("spoil",):
                call.args = (object(),)
        return await call_next(call)


BULKS: dict[str, tuple[list[str], int | type[Exception]]] = {
    "plain": (["x"] * 600, 600),
    "one of them is answered": (["x", "answer", "x"], 2),
    "all are answered": (["answer", "answer"], 0),
    "one is sent twice": (["x", "repeat"], 3),
    "one is changed": (["change", "x"], 2),
    "one is refused": (["x", "refuse", "x"], PermissionError),
    "one is refused late": (["x", "refuse late", "x"], PermissionError),
    "one is forgotten": (["x", "forget", "x"], TypeError),
    "one cannot travel": (["x", "spoil", "x"], EncodingError),
    "a single one is refused": (["refuse"], PermissionError),
    "a single one is answered": (["answer"], 0),
    "none": ([], 0),
}


@pytest.mark.parametrize("bulk", BULKS)
async def test_of_a_bulk_all_are_stored_or_none(redis: Redis, redis_url: str, bulk: str) -> None:
    words, stored = BULKS[bulk]
    async with connect(redis_url, middleware=[Strict()]):
        if isinstance(stored, int):
            results = await look.apply_many([(word,) for word in words])
            assert [result.id == "answered" for result in results] == [word == "answer" for word in words]
        else:
            with pytest.raises(stored):
                await look.apply_many([(word,) for word in words])
            stored = 0

    assert await redis.zcard("arq:queue") == stored


async def test_a_bulk_is_stored_by_as_many_scripts_as_without_middleware(redis: Redis, redis_url: str) -> None:
    async with connect(redis_url, middleware=[Strict()]):
        await look.apply_many([("first",)])
        before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        await look.apply_many([("x",)] * 1_000)
        after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]

    assert after - before == 2


class Changes(Middleware):
    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        job.request = replace(job.request, kwargs={"name": "by middleware"})
        try:
            return f"<{await call_next(job)}>"
        except ValueError as error:
            raise LookupError("translated") from error


async def test_a_run_may_change_arguments_result_and_error(redis_url: str) -> None:
    async with working(redis_url, Changes()):
        assert await (await look.delay(name="as called")).get(timeout=5) == "<by middleware>"

    class Translates(Changes):
        async def run(self, job: CurrentJob, call_next: Run) -> Any:
            job.request = replace(job.request, kwargs={})
            return await super().run(job, lambda job: call_next(replaced(job)))

    def replaced(job: CurrentJob) -> CurrentJob:
        job.request = replace(job.request, kwargs={})
        return job

    async with working(redis_url, Translates()):
        failed = await flaky.delay()
        with pytest.raises(LookupError, match="translated"):
            await failed.get(timeout=5)

    assert list(seen) == ["try 0", "try 1", "try 2"]


class Sees(Middleware):
    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        self.ran.append(job.name)
        try:
            return await call_next(job)
        except Exception as error:
            raise AssertionError("it saw how the library waits") from error


async def test_run_is_not_around_the_evaluation_of_a_workflow(redis_url: str) -> None:
    sees = Sees()
    async with working(redis_url, sees):
        await (await chain(look.si(), look.si()).delay()).get(timeout=5)

    assert sees.ran == ["middleware.look"] * 2


class Forgets(Middleware):
    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        return call_next(job)


async def test_a_run_that_forgets_to_await_says_so(redis_url: str) -> None:
    async with working(redis_url, Forgets()):
        with pytest.raises(TypeError, match="write `return await call_next"):
            await (await look.delay()).get(timeout=5)

    assert seen == {}


async def test_an_option_that_is_given_as_an_argument_is_named(redis_url: str) -> None:
    async with connect(redis_url):
        with pytest.raises(TypeError, match=r"headers= is an option: give it to the call: apply_async\("):
            await look.delay(headers={"a": "1"})  # type: ignore[call-arg]


def test_methods_that_are_no_coroutine_functions_are_refused() -> None:
    class Generator(Middleware):
        async def run(self, job: CurrentJob, call_next: Run) -> Any:
            yield await call_next(job)

    class Plain(Middleware):
        def send(self, call: OutgoingCall, call_next: Send) -> Any:
            return call_next(call)

    wrong: list[tuple[Middleware, str]] = [(Generator(), "run"), (Plain(), "send")]
    for middleware, side in wrong:
        with pytest.raises(SettingsMistake, match=f"write `async def {side}`"):
            worker_settings(redis_url="redis://localhost", middleware=[middleware])

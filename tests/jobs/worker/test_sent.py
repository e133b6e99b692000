"""What was sent is what is kept, whatever a task does to its arguments. What cannot be sent is refused everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from arq.jobs import Job

from jobs import chain, chord, encoding, group, monitor_site, send_task, task
from jobs.client.connection import JobsRedis
from jobs.client.decorator import signature
from jobs.errors import EncodingError, TooLarge
from jobs.store.keys import Keys
from jobs.tasks.current import Request
from jobs.testing import eager
from tests.jobs.example_values import wrapped
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

seen: list[Any] = []


@task(name="sent.change")
async def change(options: dict[str, Any], *more: Any, **named: Any) -> str:
    options["client"] = object()
    named["also"] = object()
    if options.get("fail"):
        raise ValueError("no luck")
    return "fine"


@task(name="sent.look")
async def look(*args: Any) -> Any:
    seen.append(args)
    return args[0]


@task(name="sent.deep")
async def deep(levels: int) -> Any:
    return wrapped("end", levels, 1)


TASKS = [change, look, deep]


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


async def test_a_task_may_change_its_arguments(start_worker: StartWorker, connection: JobsRedis) -> None:
    await start_worker(tasks=TASKS)

    done = await change.apply_async(({"x": 1}, 2), {"y": 3}, link=look.s())

    assert await done.get(timeout=5) == "fine"
    await wait_until(lambda: seen == [("fine",)], "its callback")
    detail = await monitor_site.job(connection, done.id)
    assert detail is not None
    assert (detail.state, detail.call.args, detail.call.kwargs) == ("SUCCESS", [{"x": 1}, 2], {"y": 3})
    kept = await Job(done.id, connection, _deserializer=connection.loads).result_info()
    assert kept is not None
    assert (kept.args, kept.kwargs, kept.success) == (({"x": 1}, 2), {"y": 3}, True)
    assert (kept.job_try, kept.result) == (1, "fine")


async def test_an_error_callback_has_the_arguments_that_were_sent(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    failed = await change.apply_async(({"fail": True}, "x" * 250_000), link_error=look.s())

    assert isinstance(await failed.get(timeout=5, propagate=False), ValueError)
    await wait_until(lambda: len(seen) == 1, "its error callback")
    request, error, text = seen[0]
    assert (request.args[0], len(request.args[1])) == ({"fail": True}, 250_000)
    assert str(error) == "no luck"
    assert "no luck" in text


async def test_a_member_too(start_worker: StartWorker, connection: JobsRedis) -> None:
    await start_worker(tasks=TASKS)

    done = await chain(change.s({"x": 1}, y=2), look.s(5)).delay()

    assert await done.get(timeout=5) == "fine"
    member = (await done.children())[0]
    detail = await monitor_site.job(connection, member.id)
    assert detail is not None
    assert (detail.call.args, detail.call.kwargs) == ([{"x": 1}], {"y": 2})


async def test_a_call_of_another_serializer_too(start_worker: StartWorker, redis_url: str) -> None:
    def packed(value: Any) -> bytes:
        return b"mine" + encoding.dumps(value)

    await start_worker(tasks=TASKS, job_serializer=packed, job_deserializer=lambda data: encoding.loads_job(data[4:]))
    connection = JobsRedis.at(
        redis_url, job_serializer=packed, job_deserializer=lambda data: encoding.loads_job(data[4:])
    )
    try:
        job = await connection.enqueue_job("sent.change", {"x": 1}, y=2)
        assert job is not None
        assert await job.result(timeout=5) == "fine"
        kept = await job.result_info()
        assert kept is not None
        assert (kept.args, kept.kwargs) == (({"x": 1},), {"y": 2})
    finally:
        await connection.aclose()


async def test_eager_mode_too() -> None:
    with eager():
        done = await change.apply_async(({"x": 1},), link=look.s())

        assert await done.get() == "fine"
        assert seen == [("fine",)]


async def test_what_an_earlier_release_stored_deeper_still_runs(
    start_worker: StartWorker, connection: JobsRedis
) -> None:
    sent = wrapped("end", 100, 1)
    payload = encoding.pack({"t": None, "f": "sent.look", "a": [[sent]], "k": {}, "et": 1})
    await connection.set(Keys.JOB + "old", payload)
    await connection.zadd(Keys.QUEUE, {"old": 1})

    await start_worker(tasks=TASKS)

    await wait_until(lambda: seen, "the job to run")
    assert seen == [([sent],)]


async def test_a_result_that_is_nested_too_deep_fails_the_job_and_says_so(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    fits, too_deep = await deep.delay(64), await deep.delay(65)

    assert await fits.get(timeout=5) == wrapped("end", 64, 1)
    with pytest.raises(EncodingError, match=r"the result of sent\.deep cannot be stored: .*64 levels"):
        await too_deep.get(timeout=5)
    both = await group(deep.s(64), deep.s(64)).delay()
    assert await both.get(timeout=5) == [wrapped("end", 64, 1)] * 2
    passed_on = await chain(deep.s(64), look.s()).delay()
    assert await passed_on.get(timeout=5) == wrapped("end", 64, 1)


async def test_callbacks_of_callbacks_are_no_nested_values(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    last = look.s("last")
    for number in range(30):
        last = look.si(number).set(link=last)

    await last.delay()

    await wait_until(lambda: len(seen) == 31, "all callbacks")


NESTED: dict[str, Callable[[Any], Any]] = {
    "link": lambda inner: look.si(1).set(link=inner),
    "link_error": lambda inner: look.si(1).on_error(inner),
    "group": lambda inner: group(inner, return_exceptions=True),
    "chord": lambda inner: chord([inner], look.s()),
}


@pytest.mark.parametrize("kind", NESTED)
async def test_what_is_nested_too_deep_to_be_stored_is_refused(connection: JobsRedis, kind: str) -> None:
    inner = look.si(1)
    for levels in range(3_000):
        inner = NESTED[kind](inner)
        if levels in (400, 2_999):
            with pytest.raises(EncodingError, match="nested too deep"):
                await inner.delay()
            with pytest.raises(EncodingError, match="nested too deep"):
                await look.apply_async((1,), link=inner)


async def test_a_signature_as_an_argument_is_refused_with_what_travels() -> None:
    with eager(), pytest.raises(EncodingError, match=r"pass x\.to_dict\(\)"):
        await look.delay(look.s(1))


# every door

DOORS: dict[str, Callable[[Any, dict[Any, Any]], Any]] = {
    "apply_async": lambda value, kwargs: look.apply_async((value,), kwargs),
    "apply_many": lambda value, kwargs: look.apply_many([look.signature((value,), kwargs)]),
    "send_task": lambda value, kwargs: send_task("sent.unknown", (value,), kwargs),
    "signature": lambda value, kwargs: signature("sent.unknown", (value,), kwargs).delay(),
    "clone": lambda value, kwargs: look.s().clone((value,), kwargs).delay(),
    "group": lambda value, kwargs: group(look.si(1), look.signature((value,), kwargs)).delay(),
    "group's own": lambda value, kwargs: group(look.s()).apply_async((value,), kwargs),
    "chain": lambda value, kwargs: chain(look.si(1), look.signature((value,), kwargs)).delay(),
    "chord": lambda value, kwargs: chord([look.si(1)], look.signature((value,), kwargs)).delay(),
    "link": lambda value, kwargs: look.apply_async((1,), link=look.signature((value,), kwargs)),
    "link of a member": lambda value, kwargs: group(
        look.si(1).set(link_error=[look.signature((value,), kwargs)])
    ).delay(),
    "map": lambda value, kwargs: look.signature((), kwargs).map([value]).delay(),
    "starmap": lambda value, kwargs: look.signature((), kwargs).starmap([(value,)]).delay(),
}


@pytest.mark.parametrize("door", DOORS)
async def test_every_door_refuses_what_cannot_travel_and_names_the_argument(connection: JobsRedis, door: str) -> None:
    for value in (object(), bytearray(b"x"), wrapped(1, 200, 1), wrapped(1, 490, 0), msgpack.ExtType(1, b"")):
        with pytest.raises(EncodingError, match="argument "):
            await DOORS[door](value, {})
    for name in (1, None, b"x", ("x",)):
        with pytest.raises(TypeError, match="give texts as the names of parameters"):
            await DOORS[door](1, {name: 2})
    assert await connection.keys() == []


async def test_a_call_with_many_values_is_refused_before_it_is_encoded(connection: JobsRedis) -> None:
    wide: list[Any] = []
    for _ in range(50):
        wide = [wide, wide]

    with pytest.raises(TooLarge, match=r"sent\.look: .*262,144"):
        await look.delay(wide)
    assert await connection.keys() == []


def test_a_request_is_wrapped_around_the_deepest_value() -> None:
    value = wrapped("end", 64, 1)

    data = encoding.pack({"a": [Request("1", "t", (value,))]})

    assert encoding.loads_stored(data)["a"][0].args == (value,)


async def test_the_page_of_a_huge_list_says_how_large_it_is(start_worker: StartWorker, connection: JobsRedis) -> None:
    await start_worker(tasks=TASKS)

    done = await chord([look.s("x" * 250_000) for _ in range(20)], look.s()).delay()
    many = await group(look.s("x" * 250_000) for _ in range(20)).delay()

    assert "5,000" in str(await done.get(timeout=20, propagate=False))
    assert len(await many.get(timeout=20)) == 20
    detail = await monitor_site.job(connection, many.id)
    body = await monitor_site.job(connection, f"{done.id}:1")
    assert detail is not None
    assert detail.result is not None
    assert detail.result.startswith("<5,")
    assert body is not None
    assert "cannot be stored" in body.error

"""Every option of a call, at every door that takes it: taken as it is meant, or refused before anything is stored."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from jobs import Result, Signature, chain, connect, encoding, first, group, monitor, send_task, signature, task
from jobs.client.connection import JobsRedis
from jobs.contrib.other_names import OF_CALLS
from jobs.errors import UnknownSchedule, WrongValue
from jobs.store.call import moment
from jobs.tasks.call_options import OF_A_GROUP, OPTIONS, CallOptions, ManyOptions
from jobs.tasks.options import NAMES
from tests.jobs.option_values import COUNT, FLAG, ID, MOMENT, NAME, ODD, SECONDS, WHEN, Kind, same

REFUSED = (TypeError, WrongValue)


@task(name="options.work")
async def work(*args: Any) -> None: ...


CALLBACK = Kind(
    [(work.s(), None), ([work.s(), work.si(1)], None), (chain(work.s(), work.s()), None)],
    [work, print, "options.work", 5, True, [work], ["options.work"], object()],
)
HEADERS = Kind(
    same({}, {"tenant": "7"}, {"租户": "七 \n 7", "a": ""}, None),
    ["tenant", [("tenant", "7")], {"tenant": 7}, {"tenant": None}, {7: "tenant"}, {UUID(int=7): "7"}, {"": "7"},
     {"a\nb": "7"}, {"a": b"7"}, {"a": "\ud800"}, {"a": "x" * 8_192}, 5, True, [], object()],
)  # fmt: skip
CALL = {
    "countdown": SECONDS.or_none(),
    "eta": MOMENT.or_none(),
    "expires": WHEN.or_none(),
    "queue": NAME.or_none(),
    "headers": HEADERS,
    "task_id": ID.or_none(),
    "link": CALLBACK,
    "link_error": CALLBACK,
}
OF_GROUPS = {"return_exceptions": FLAG.or_none(), "max_concurrency": COUNT.or_none().but(0)}
MANY = {name: kind for name, kind in CALL.items() if name != "task_id"}


async def many(**options: Any) -> Result:
    [result] = await work.apply_many([(1,)], **options)
    return result


DOORS: dict[str, tuple[Callable[..., Awaitable[Result]], dict[str, Kind]]] = {
    "apply_async": (lambda **options: work.apply_async((1,), **options), CALL),
    "apply_many": (many, MANY),
    "send_task": (lambda **options: send_task("options.work", (1,), **options), CALL),
    "set": (lambda **options: work.s(1).set(**options).delay(), CALL),
    "signature": (lambda **options: signature("options.work", (1,), **options).delay(), CALL),
    "task.signature": (lambda **options: work.signature((1,), **options).delay(), CALL),
    "signature.apply_async": (lambda **options: work.s(1).apply_async(**options), CALL),
    "group.apply_async": (lambda **options: group(work.s(1)).apply_async(**options), CALL | OF_GROUPS),
    "group": (lambda **options: group(work.s(1), **options).delay(), CALL | OF_GROUPS),
}
every_door = pytest.mark.parametrize("door", DOORS)


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    async with connect(redis_url) as connection:
        yield connection


async def ask(door: Callable[..., Any], *args: Any, **options: Any) -> None:
    answer = door(*args, **options)
    if inspect.isawaitable(answer):
        await answer


def refusal_of(refused: BaseException) -> str:
    """A sentence that can be read: short, in one line, printable."""
    text = str(refused)
    assert 10 < len(text) < 400
    assert text.isprintable(), text
    return text


def test_every_option_has_a_row() -> None:
    assert CALL.keys() == OPTIONS == CallOptions.__annotations__.keys()
    assert MANY.keys() == ManyOptions.__annotations__.keys()
    assert OF_GROUPS.keys() == OF_A_GROUP


@every_door
async def test_what_an_option_cannot_be_is_refused_before_anything_is_stored(
    redis: Redis, connection: JobsRedis, door: str
) -> None:
    call, options = DOORS[door]
    for option, kind in options.items():
        for value in kind.wrong:
            with pytest.raises(REFUSED) as refused:
                await call(**{option: value})
            text = refusal_of(refused.value)
            assert option in text or "signature" in text

    assert await redis.dbsize() == 0


@every_door
async def test_what_it_can_be_is_stored_as_it_is_meant(redis: Redis, connection: JobsRedis, door: str) -> None:
    call, options = DOORS[door]
    for option, kind in options.items():
        for value, meant in kind.right:
            await redis.flushdb()
            result = await call(**{option: value})
            record = {k.decode(): v.decode() for k, v in (await redis.hgetall(f"jobs:job:{result.id}")).items()}
            payload = encoding.loads(await redis.get(f"arq:job:{result.id}"))
            assert _stored(option, meant, result.id, record, payload), (option, value, record)


def _stored(option: str, meant: Any, job_id: str, record: dict[str, str], payload: dict[str, Any]) -> bool:
    enqueued = int(record["enqueued"])
    expected = None if meant is None or isinstance(meant, tuple | list) else meant
    if option in ("countdown", "eta", "expires"):
        at = moment(expected or 0)
        due = enqueued + int(at) if at.startswith("+") else int(at)
        return int(record["expires" if option == "expires" and expected is not None else "due"]) == due
    if option == "headers":
        return payload.get("h") == (meant or None)
    if option == "queue":
        return record["queue"] == (meant or "default")
    return option != "task_id" or meant is None or job_id == meant


async def test_a_later_time_takes_the_place_of_an_earlier_one(connection: JobsRedis) -> None:
    at = datetime(2040, 1, 1)

    assert work.s().set(countdown=5).set(eta=at).options == {"eta": at}
    assert work.s().set(eta=at).set(countdown=5).options == {"countdown": 5}
    for door in (work.s().set, work.apply_async, group(work.s()).set):
        with pytest.raises(WrongValue, match="give countdown or eta, not both"):
            await ask(door, countdown=5, eta=at)


ARGS = ["ab", b"ab", {"x": 1}, {1, 2}, 5, True, 2.5, object(), print]


async def test_arguments_of_the_wrong_shape_are_refused(redis: Redis, connection: JobsRedis) -> None:
    for wrong in ARGS:
        for door in (work.apply_async, work.signature, work.s().apply_async, work.s().clone):
            with pytest.raises(TypeError, match=r"args=.*give a tuple or list"):
                await ask(door, wrong)
    for wrong in ["ab", 5, [("a", 1)], True, object()]:
        for door in (work.apply_async, work.signature, work.s().apply_async, work.s().clone):
            with pytest.raises(TypeError, match=r"kwargs=.*give a dict"):
                await ask(door, (1,), wrong)
    with pytest.raises(TypeError, match="args='ab'"):
        await work.apply_many(["ab"])

    assert await redis.dbsize() == 0
    await (await work.apply_async(None, None)).forget()
    await work.apply_async(iter([1]))


@pytest.mark.parametrize("n", ["3", 0, -1, 2.5, True, None])
def test_chunks_take_a_whole_number(n: Any) -> None:
    with pytest.raises(REFUSED, match="n="):
        work.chunks([(1,)], n)


@pytest.mark.parametrize("option", sorted(OF_CALLS.keys() - {"bind"}))
async def test_an_option_of_celery_or_arq_is_answered_with_what_to_do_instead(
    connection: JobsRedis, option: str
) -> None:
    for door in (work.apply_async, work.s().set, lambda **options: task(name="options.never", **options)):
        with pytest.raises(TypeError) as refused:
            await ask(door, **{option: 1})
        assert OF_CALLS[option] in refusal_of(refused.value)


async def test_an_option_at_the_wrong_door_is_answered_with_the_right_one(connection: JobsRedis) -> None:
    for option in set(NAMES) - CALL.keys() - {"max_concurrency"}:
        with pytest.raises(TypeError, match="@task"):
            await work.apply_async((), **{option: 1})  # type: ignore[call-arg]
    for option in CALL.keys() - set(NAMES):
        with pytest.raises(TypeError, match="give it to the call"):
            task(name="options.never", **{option: 1})
    with pytest.raises(TypeError, match=r"apply_many\(\) has no option 'task_id'; give it to the call"):
        await work.apply_many([(1,), (2,)], task_id="one")  # type: ignore[call-arg]  # the second would be dropped


RESULT = {
    "get": {"timeout": Kind([], [value for value in SECONDS.wrong if value is not None]), "propagate": FLAG},
    "revoke": {"terminate": FLAG},
    "reschedule": {"eta": MOMENT},
    "send_event": {"name": Kind([], [*NAME.wrong, "a#2", "a[2]"]), "value": Kind([], [])},
    **{method: {} for method in (
        "state", "status", "ready", "successful", "failed", "children", "retry_failed", "info", "meta", "progress",
        "as_completed", "forget",
    )},
}  # fmt: skip


def test_every_method_of_a_result_has_a_row() -> None:
    methods = {name: f for name, f in vars(Result).items() if not name.startswith("_") and callable(f)}

    assert {name: set(inspect.signature(f).parameters) - {"self"} for name, f in methods.items()} == {
        name: set(options) for name, options in RESULT.items()
    }


async def test_what_a_method_of_a_result_cannot_take_is_refused(redis: Redis, connection: JobsRedis) -> None:
    result = await work.apply_async((1,), countdown=60)
    before = await redis.zscore("arq:queue", result.id)
    for method, options in RESULT.items():
        for option, kind in options.items():
            for value in kind.wrong:
                with pytest.raises(REFUSED) as refused:
                    await getattr(result, method)(**{option: value})
                assert option in refusal_of(refused.value)

    assert await result.state() == "PENDING"
    assert await redis.zscore("arq:queue", result.id) == before
    for eta, _ in MOMENT.right:
        assert await result.reschedule(eta)
        assert await redis.zscore("arq:queue", result.id) == int(moment(eta))
    for value in ID.wrong:
        if not isinstance(value, str):
            with pytest.raises(TypeError, match="id="):
                Result(value)
    with pytest.raises(WrongValue, match="id="):
        Result("\ud800")
    assert Result(ID.right[-1][0]).id == ID.right[-1][1]


@pytest.mark.parametrize("name", NAME.wrong, ids=range(len(NAME.wrong)))
async def test_a_task_is_called_by_a_name_that_a_task_can_have(redis: Redis, connection: JobsRedis, name: Any) -> None:
    for door in (send_task, connection.enqueue_job, signature):
        with pytest.raises(REFUSED) as refused:
            await ask(door, name)
        refusal_of(refused.value)
    assert await redis.dbsize() == 0


@pytest.mark.parametrize("name", [*NAME.wrong, 10**5_000], ids=range(len(NAME.wrong) + 1))
async def test_what_is_steered_has_a_name(redis: Redis, connection: JobsRedis, name: Any) -> None:
    steer = (monitor.pause_schedule, monitor.resume_schedule, monitor.forget_schedule, monitor.run_schedule)
    for door in (*steer, partial(monitor.set_rate_limit, rate=5)):
        with pytest.raises((*REFUSED, UnknownSchedule)) as refused:
            await door(connection, name)
        refusal_of(refused.value)
    assert await redis.dbsize() == 0


async def test_first_takes_results_and_a_time(connection: JobsRedis) -> None:
    result = await work.apply_async((1,), countdown=60)
    for value in SECONDS.wrong:
        if value is not None:
            with pytest.raises(REFUSED, match="timeout"):
                await first([result], timeout=value)
    for value in FLAG.wrong:
        with pytest.raises(TypeError, match="terminate"):
            await first([result], terminate=value)
    for value in (work, "id", 5, None, work.s()):
        with pytest.raises(TypeError, match="is no Result"):
            await first([result, value])
    with pytest.raises(TimeoutError):
        await first([result], timeout=timedelta(milliseconds=1))


def _enqueue_rows() -> Iterator[tuple[str, Kind]]:
    yield "_job_id", Kind(ID.or_none().right, [value for value in ID.wrong if value])
    yield ("_queue_name", Kind([("arq:queue", None), ("elsewhere", None), (None, None)], ["a,b", "a\nb", 5, *ODD[3:]]))
    yield "_defer_until", MOMENT.or_none()
    yield "_defer_by", SECONDS.or_none()
    yield "_expires", SECONDS.or_none()
    yield "_job_try", COUNT.or_none()


def test_every_option_of_enqueue_job_has_a_row() -> None:
    parameters = inspect.signature(JobsRedis.enqueue_job).parameters

    assert {name for name in parameters if name.startswith("_")} == {option for option, _ in _enqueue_rows()}


async def test_enqueue_job_takes_what_arq_takes_and_refuses_the_rest(redis: Redis, connection: JobsRedis) -> None:
    for option, kind in _enqueue_rows():
        for value in kind.wrong:
            with pytest.raises(REFUSED) as refused:
                await connection.enqueue_job("options.work", **{option: value})
            assert option in refusal_of(refused.value)
    assert await redis.dbsize() == 0
    for option, kind in _enqueue_rows():
        for value, _ in kind.right:
            await redis.flushdb()
            assert await connection.enqueue_job("options.work", **{option: value}) is not None


def test_a_signature_of_checked_options_is_stored_as_json() -> None:
    """Its numbers are plain, whatever they were."""
    for value, meant in SECONDS.right:
        options = work.s().set(countdown=value).to_dict()["options"]
        assert json.loads(json.dumps(options)) == {"countdown": meant}
    assert isinstance(work.s(), Signature)

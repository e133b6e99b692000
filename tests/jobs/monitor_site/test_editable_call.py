"""A job that is run again with edited arguments, and a task that is called from a form."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jobs import Result, group, monitor, monitor_site, task
from jobs.client.connection import JobsRedis
from jobs.errors import NotRetried, WrongValue
from jobs.monitor_site.doubtful_values import doubt
from jobs.monitor_site.editable_call import call_of_job, call_of_task, free_id, run
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import StartWorker, connection, start_worker
from tests.waiting import wait_until

__all__ = ["connection", "start_worker"]

SECRET = "s3cr3t-41"
ran: list[Any] = []


@task(name="tests.edit.pay")
async def pay(amount: int, to: dict[str, Any], password: str, *notes: Any, when: Any = None, **more: Any) -> None:
    ran.append((amount, to, password, notes, when, more))
    raise ValueError(amount)


@task(name="tests.edit.plain")
async def plain(x: int, y: int = 2, *, key: str) -> list[Any]:
    return [x, y, key]


WHEN = datetime(2026, 12, 1, tzinfo=UTC)
ARGS = (1, {"iban": b"\x01", "token": SECRET, "tags": ("a", "b")}, SECRET, (2, 3))


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


async def failed(connection: JobsRedis, start_worker: StartWorker) -> str:
    await start_worker(tasks=[pay, plain])
    await wait_until(lambda: connection.hexists(Keys.TASKS, pay.name), "the worker to declare its tasks")
    result = await pay.apply_async(ARGS, {"when": WHEN, "api_key": SECRET}, headers={"tenant": "7"})
    await wait_until(result.ready, "the job to fail")
    return result.id


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"total": 1.5}, {"total": "12"}, "total: it was a number, and this is a text"),
        ({"total": 1.5}, {"total": 12}, ""),
        ({"total": 1}, {"total": True}, "total: it was a number, and this is a truth value"),
        ({"total": (1,)}, {"total": [1, 2]}, ""),
        ({"total": {"a": 1}}, {"total": [1]}, "total: it was an object, and this is a list"),
        ({"total": WHEN}, {"total": "2026"}, "total: it was a datetime, and this is a text"),
        ({"total": None}, {"total": "2026"}, ""),
        ({"total": 1}, {"total": None}, ""),
        ({}, {"total": "2026"}, ""),
        ({"amount": "1"}, {"amount": "2"}, "amount: it is declared as a number, and this is a text"),
        ({}, {"amount": 2}, ""),
        ({}, {"to": []}, "to: it is declared as an object, and this is a list"),
        ({"when": 5}, {"when": "now"}, "when: it was a number, and this is a text"),
    ],
)
def test_a_value_of_another_kind_is_doubted(before: dict[str, Any], after: dict[str, Any], why: str) -> None:
    assert doubt(pay.name, before, after) == why
    assert doubt(pay.name, after, after) == ""


async def test_what_was_not_edited_is_called_as_it_was(connection: JobsRedis, start_worker: StartWorker) -> None:
    job_id = await failed(connection, start_worker)
    call = await call_of_job(connection, job_id)
    fields = {field.label: field.text for field in call.fields()}
    assert SECRET not in json.dumps(fields)
    assert list(fields) == ["amount", "to", "password", "*notes 1", "when", "api_key"]
    typed = {field.key: field.text for field in call.fields()}
    to = json.loads(typed["place-1"])
    to["tags"][1] = "edited"

    assert await run(connection, call, typed | {"place-0": " 99 ", "place-1": json.dumps(to)}, f"{job_id}~2")
    again = Result(f"{job_id}~2")
    await wait_until(again.ready, "the new job to run")

    to = {"iban": b"\x01", "token": SECRET, "tags": ("a", "edited")}
    assert ran[1] == (99, to, SECRET, ((2, 3),), WHEN, {"api_key": SECRET})
    assert (await monitor.call_of(connection, again.id) or monitor.MaskedCall()).headers == {"tenant": "7"}
    assert await free_id(connection, job_id) == f"{job_id}~3"
    assert not await run(connection, call, typed, again.id)  # pressed twice


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"place-0": "[1,"}, "amount: no JSON at line 1"),
        ({"place-1": '{"token": ["***"]}'}, "to.token"),
        ({"place-0": ""}, "amount: "),
        ({"name-password": '"twice"'}, "password: it is given by position and by name"),
        ({"name-new": '"***"'}, "new: "),
    ],
    ids=range(5),
)
async def test_what_is_wrong_is_named_and_nothing_runs(
    connection: JobsRedis, start_worker: StartWorker, typed: dict[str, str], says: str
) -> None:
    job_id = await failed(connection, start_worker)
    call = await call_of_job(connection, job_id)
    shown = {field.key: field.text for field in call.fields()}

    with pytest.raises(WrongValue) as raised:
        await run(connection, call, shown | typed, f"{job_id}~2")

    assert str(raised.value).startswith(says)
    assert SECRET not in str(raised.value)
    assert await Result(f"{job_id}~2").state() == "UNKNOWN"


async def test_a_task_is_called_from_its_parameters(connection: JobsRedis, start_worker: StartWorker) -> None:
    await failed(connection, start_worker)
    call = await call_of_task(connection, plain.name)
    assert call is not None
    fields = {field.key: field.is_required for field in call.fields()}
    assert fields == {"name-x": True, "name-y": False, "name-key": True}
    assert await call_of_task(connection, "tests.nobody") is None

    for typed, says in (
        ({"name-x": "1"}, "key: tests.edit.plain needs it"),
        ({"name-x": "1", "name-key": '"k"', "name-yy": "1"}, "yy: tests.edit.plain has no parameter of this name"),
    ):
        with pytest.raises(WrongValue, match=says):
            await run(connection, call, typed, "0" * 32)
    assert await run(connection, call, {"name-x": "1", "name-key": '"k"'}, "0" * 32, countdown=0.01)

    assert await Result("0" * 32).get(timeout=5) == [1, 2, "k"]


async def test_a_job_in_any_state_is_edited_and_no_workflow(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(tasks=[plain])
    await wait_until(lambda: connection.hexists(Keys.TASKS, plain.name), "the worker to declare its tasks")
    good, later = await plain.delay(1, key="k"), await plain.apply_async((1,), {"key": "k"}, countdown=600)
    flow = await group(plain.s(3, key="m"), plain.s(4, key="n")).delay()
    await flow.get(timeout=5)
    await good.get(timeout=5)

    for job_id, x in ((good.id, 1), (later.id, 1), (f"{flow.id}:1", 4)):
        call = await call_of_job(connection, job_id)
        typed = {field.key: field.text for field in call.fields()}
        assert typed.pop("place-0") == str(x)
        assert await run(connection, call, typed | {"place-0": "7"}, await free_id(connection, job_id))
        assert (await Result(f"{job_id}~2").get(timeout=5))[0] == 7
        assert [row.id for row in await monitor_site.reruns_of(connection, job_id)] == [job_id, f"{job_id}~2"]
    for job_id in (flow.id, "nobody"):
        with pytest.raises(NotRetried if job_id == flow.id else Exception):
            await call_of_job(connection, job_id)


async def test_what_an_earlier_worker_declared_is_not_checked(connection: JobsRedis) -> None:
    """One that says only what is secret: the job says itself what is wrong."""
    await connection.hset(Keys.TASKS, "old", '{"queue": "q", "places": {}, "rest": -1, "names": []}')
    call = await call_of_task(connection, "old")
    assert call is not None

    assert await run(connection, call, {"name-x": "[1]"}, "0" * 32)

    assert await connection.zcard("arq:queue:q") == 1

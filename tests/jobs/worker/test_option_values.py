"""What odd values come to on a worker: in `self.retry()`, and in workflows that an earlier release stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from jobs import group, task
from jobs.client.connection import JobsRedis
from jobs.errors import MaxRetriesExceeded, RemoteError, WrongValue
from jobs.workflows.canvas import Node
from jobs.workflows.stored_tree import from_dict
from tests.jobs.option_values import COUNT, MOMENT, SECONDS, Scalar, Whole
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

SOON: list[dict[str, Any]] = [
    {"countdown": value} for value in (0, 0.01, timedelta(milliseconds=10), Decimal("0.01"), -5, timedelta(-1))
]
SOON += [{"eta": datetime.now()}, {"eta": datetime.now(UTC)}, {"eta": datetime(1999, 1, 1)}, {}]
SOON += [{"max_retries": 1}, {"max_retries": Whole()}, {"max_retries": None}, {"exc": KeyError("x")}]
WRONG = [
    *({"countdown": value} for value in SECONDS.wrong if value is not None),
    *({"eta": value} for value in MOMENT.wrong if value is not None),
    *({"max_retries": value} for value in COUNT.wrong if value is not None),
    {"exc": "text"}, {"exc": KeyError}, {"exc": 5}, {"countdown": 5, "eta": datetime.now()},
]  # fmt: skip


tries: list[str] = []


@task(name="tests.again", bind=True, default_retry_delay=timedelta(0))
async def again(self: Any, number: int) -> int:
    if not self.request.retries:
        self.retry(**SOON[number])
    return self.request.retries


@task(name="tests.wrong_retry", bind=True)
async def wrong_retry(self: Any, number: int) -> None:
    self.retry(**WRONG[number])


@task(name="tests.listed", autoretry_for=[OSError, KeyError], default_retry_delay=timedelta(0), max_retries=Whole())  # type: ignore[arg-type]
async def listed(text: str) -> None:
    tries.append(text)
    if len(tries) < 3:
        raise OSError("again")


@task(name="tests.far", bind=True)
async def far(self: Any) -> None:
    self.retry(countdown=Scalar())


async def test_a_retry_is_taken_as_it_is_meant(start_worker: StartWorker) -> None:
    tries.clear()
    await start_worker(tasks=[again, listed, far])

    results = await again.apply_many([(number,) for number in range(len(SOON))])
    several = await listed.delay("x")
    later = await far.delay()

    for result, options in zip(results, SOON, strict=True):
        assert await result.get(timeout=10) == 1, options
    await several.get(timeout=10)
    assert (await several.info()).retries == 2
    assert await later.state() in ("PENDING", "STARTED", "RETRY")


async def test_a_retry_that_cannot_be_meant_says_why(start_worker: StartWorker) -> None:
    await start_worker(tasks=[wrong_retry])

    results = await wrong_retry.apply_many([(number,) for number in range(len(WRONG))])

    for result, options in zip(results, WRONG, strict=True):
        error = await result.get(timeout=10, propagate=False)
        assert type(error).__name__ in ("TypeError", "WrongValue", "RemoteError"), (options, error)
        assert all(option in str(error) for option in options), (options, error)
        assert not isinstance(error, MaxRetriesExceeded)
    assert issubclass(WrongValue, ValueError)


RELEASED: list[tuple[dict[str, Any], str]] = [
    ({"countdown": True}, "SUCCESS"),
    ({"expires": "5"}, "SUCCESS"),
    ({"countdown": "5"}, "FAILURE"),
    ({"eta": "2030-01-01T00:00"}, "FAILURE"),
]


def with_options(node: Node, options: dict[str, Any]) -> Node:
    """As a released version stored it."""
    return from_dict({**node.to_dict(), "options": options})


async def test_a_stored_workflow_with_options_that_are_refused_today_goes_on(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(queues=["default", "other"])

    for options, state in RELEASED:
        odd = with_options(tasks.multiply.s(2, 2), options)
        result = await group(odd, tasks.multiply.s(3, 3), return_exceptions=True).delay()
        first, second = await result.get(timeout=10)
        assert second == 9
        assert first == 4 if state == "SUCCESS" else isinstance(first, TypeError | RemoteError), options
    inherited = with_options(group(tasks.multiply.s(2, 2), tasks.multiply.s(3, 3)), {"queue": "a,b"})
    await connection.submit(inherited, {"queue": "default"})

    async def in_their_queue() -> bool:
        return bool(await connection.zcard("arq:queue:a,b") == 2)

    await wait_until(in_their_queue, "the members to be in the queue that was given")

"""A job ends, and its worker goes on, whatever exception it raises."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from jobs import Result, group, task
from jobs.client.connection import JobsRedis
from jobs.monitor_site import job as detail_of
from tests.jobs.example_values import Hurting, Nan, Unknown
from tests.jobs.worker.conftest import StartWorker


def deep_group() -> Exception:
    error: Exception = ValueError("the cause")
    for _ in range(1_500):
        error = ExceptionGroup("outer", [error])
    return error


def long_chain() -> Exception:
    error: Exception = ValueError("the cause")
    for _ in range(1_500):
        above = ValueError("above")
        above.__cause__ = error
        error = above
    return error


def of_itself() -> Exception:
    error = ValueError()
    error.args = ([error], {"self": error})
    error.__context__ = ValueError("other")
    return error


def odd_notes() -> Exception:
    error = ValueError("x")
    error.__notes__ = 5  # type: ignore[assignment]  # on purpose
    return error


class OddArguments(Exception):
    args = 5  # type: ignore[assignment]  # on purpose


class OddExtra(Exception):
    extra = {1: {2: object()}, ("a",): float("nan")}  # noqa: RUF012  # as somebody might write it


class OddReduce(Exception):
    def __reduce__(self) -> Any:
        raise RuntimeError("no pickle")


ODD: dict[str, Callable[[], Exception]] = {
    "hurting": Hurting,
    "nan": lambda: ValueError(Nan()),
    "deep group": deep_group,
    "long chain": long_chain,
    "of itself": of_itself,
    "notes": odd_notes,
    "arguments": OddArguments,
    "extra": OddExtra,
    "reduce": OddReduce,
    "huge": lambda: ValueError("x" * 3_000_000),
    "huge repr": lambda: Unknown(["x" * 1_000] * 3_000),
    "surrogates": lambda: ValueError("\udc80"),
}


@task(name="odd.raise")
async def fail(kind: str) -> None:
    raise ODD[kind]()


@task(name="odd.plain")
def fail_in_thread(kind: str) -> None:
    raise ODD[kind]()


@task(name="odd.auto", autoretry_for=(Exception,), max_retries=1, default_retry_delay=0)
async def auto(kind: str) -> None:
    raise ODD[kind]()


@task(name="odd.retry", bind=True, max_retries=1)
async def again(self: Any, kind: str) -> None:
    self.retry(exc=ODD[kind](), countdown=0)


@task(name="odd.give")
async def give(kind: str) -> Any:
    return ODD[kind]()


@task(name="odd.take")
async def take(*args: Any) -> str:
    return "fine"


TASKS = [fail, fail_in_thread, auto, again, give, take]


SOME = ("hurting", "extra", "surrogates", "deep group")


@pytest.mark.parametrize(("log_format", "kinds"), [("text", tuple(ODD)), ("json", SOME)])
async def test_a_job_ends_whatever_it_raises(
    start_worker: StartWorker,
    connection: JobsRedis,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    log_format: str,
    kinds: tuple[str, ...],
) -> None:
    caplog.set_level(logging.INFO)
    await start_worker(tasks=TASKS, log_format=log_format)

    once: list[Result] = []
    twice: list[Result] = []
    for kind in kinds:
        once.append(await fail.apply_async((kind,), link_error=take.s(), task_id=f"told:{kind}"))
        once.append(await fail_in_thread.delay(kind))
        once.append(await group(fail.s(kind), take.s(1)).delay())
        twice.append(await auto.delay(kind))
        twice.append(await again.delay(kind))
    given = [await give.delay(kind) for kind in kinds]

    for result in [*once, *twice]:
        assert isinstance(await result.get(timeout=30, propagate=False), Exception)
        assert await result.state() == "FAILURE"
        info = await result.info()
        assert info.history[-1].text
        assert (info.retries, len(info.history)) == ((1, 2) if result in twice else (0, 1))
        assert await detail_of(connection, result.id)
    for result in given:
        assert isinstance(await result.get(timeout=30), Exception)
    for kind in kinds:
        assert await Result(f"told:{kind}::-2.0").get(timeout=5) == "fine"
    text = caplog.text
    assert "Traceback (most recent call last)" in text
    for fault in ("the worker itself failed", "its outcome is recorded, but", "cannot be called", "cannot be written"):
        assert fault not in text
    assert "Logging error" not in capsys.readouterr().err

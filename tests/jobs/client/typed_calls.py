"""Calls that are right, and calls that a type checker must refuse, marked with mypy's code. Nobody runs this."""

from __future__ import annotations

from typing import assert_type

from jobs import CurrentJob, Result, task


@task(name="typed.multiply", max_retries=5, rate_limit="10/m", time_limit=30)
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="typed.plain")
def plain(text: str) -> str:
    return text


@task(name="typed.bound", bind=True, autoretry_for=(OSError,))
async def bound(self: CurrentJob, pk: int) -> str:
    return f"{pk} {self.request.retries}"


@task
async def bare(flag: bool = True) -> None: ...


@task(name="typed.bound_plain", bind=True, process=True)
def bound_plain(self: CurrentJob, size: int) -> bytes:
    return bytes(size)


async def right() -> None:
    assert_type(await multiply(2, y=3), int)
    assert_type(await multiply.delay(2, 3), Result)
    assert_type(await plain("here"), str)
    assert_type(await bound(4), str)
    assert_type(await bound_plain(4), bytes)
    await bound.delay(4)
    await bare.delay()
    await multiply.apply_async((2, 3), countdown=10)


async def wrong() -> None:
    await multiply.delay(2)  # E: call-arg
    await multiply.delay(2, "3")  # E: arg-type
    await multiply(2, 3, 4)  # E: call-arg
    await plain.delay(4)  # E: arg-type
    await bound.delay("4")  # E: arg-type
    await bare.delay(flags=True)  # E: call-arg
    await multiply.apply_async((2, 3), count_down=10)  # E: call-arg


@task(name="typed.misspelt", max_retry=5)  # E: call-overload
async def misspelt() -> None: ...


@task(name="typed.wrong_value", max_retries="five")  # E: call-overload
async def wrong_value() -> None: ...

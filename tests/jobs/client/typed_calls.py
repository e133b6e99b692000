"""Uses that are right, and uses that type checkers must refuse, marked with mypy's code. Nobody runs this."""

from __future__ import annotations

from typing import Any, assert_type

from jobs import (
    CurrentJob,
    Middleware,
    Result,
    Signature,
    blocking,
    chain,
    chord,
    connect,
    crontab,
    first,
    group,
    send_task,
    signature,
    task,
    worker_settings,
)
from jobs.tasks.blocking_calls import BlockingResult


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


@task(name="typed.total")
async def total(numbers: list[int], *, start: int = 0) -> float:
    return sum(numbers, start=start)


class Bare(Middleware):
    async def send(self, call: Any, call_next: Any) -> Result:  # without a type: Result[Any]
        result: Result = await call_next(call)
        return result


async def calls() -> None:
    assert_type(await multiply(2, y=3), int)
    assert_type(await multiply.delay(2, 3), Result[int])
    assert_type(await multiply.apply_async((2, 3), countdown=10), Result[int])
    assert_type(await multiply.apply_many([(2, 3), multiply.s(4, 5)]), list[Result[int]])
    assert_type(await (await multiply.delay(2, 3)).get(), int)
    assert_type(await (await multiply.delay(2, 3)).get(timeout=5), int)
    assert_type(await (await multiply.delay(2, 3)).get(propagate=False), Any)
    assert_type(await (await multiply.delay(2, 3)), int)
    assert_type(multiply.result("id"), Result[int])
    assert_type(await multiply.result("id"), int)
    assert_type(await Result("id").get(), Any)
    assert_type(await first([multiply.result("a"), multiply.result("b")], timeout=5), int)
    assert_type(await send_task("typed.multiply", (2, 3)), Result[Any])
    assert_type(await plain("here"), str)
    assert_type(await bound(4), str)
    assert_type(await bound_plain(4), bytes)
    assert_type(await bound.delay(4), Result[str])
    assert_type(await bare.delay(), Result[None])

    await multiply.delay(2)  # E: call-arg
    await multiply.delay(2, "3")  # E: arg-type
    await multiply(2, 3, 4)  # E: call-arg
    await plain.delay(4)  # E: arg-type
    await bound.delay("4")  # E: arg-type
    await bare.delay(flags=True)  # E: call-arg
    await multiply.apply_async((2, 3), count_down=10)  # E: call-arg
    await multiply.apply_many([plain.s("here")])  # E: list-item
    text: str = await multiply.delay(2, 3)  # E: assignment
    plain.result(text).get().upper()  # E: attr-defined


async def workflows() -> None:
    call = multiply.s(2)
    assert_type(call, Signature[int])
    assert_type(await call(3), int)
    assert_type(await call.delay(3), Result[int])
    assert_type(multiply.si(2, 3), Signature[int])
    assert_type(multiply.signature((2, 3), countdown=10), Signature[int])
    assert_type(call.set(countdown=10).on_error(plain.si("failed")), Signature[int])
    assert_type(signature("typed.multiply", (2, 3)), Signature[Any])
    assert_type(multiply.starmap([(2, 3)]), Signature[list[int]])
    assert_type(multiply.chunks([(2, 3)], 10), group[list[int]])

    assert_type(await group(multiply.s(n, n) for n in range(9)).delay(), Result[list[int]])
    assert_type(await group([multiply.s(1, 1)])(), list[int])
    assert_type(await group(multiply.s(1, 1), multiply.s(2, 2))(), list[int])
    assert_type(await group(group(multiply.s(1, 1)), group(multiply.s(2, 2)))(), list[int])
    assert_type(await (group(multiply.s(1, 1)) | total.s()).delay(), Result[float])
    assert_type(await chain(multiply.s(1, 1), bare.si(), plain.s()).delay(), Result[str])
    assert_type(await chain(call, call)(3), int)
    assert_type(await (call | bare.si() | plain.s())(), str)
    assert_type(await (call | group(plain.s(), plain.s())).delay(), Result[list[str]])
    assert_type(await chord(group(multiply.s(1, 1)), total.s()).delay(), Result[float])
    assert_type(await chord([multiply.s(1, 1)], total.s()), float)
    assert_type(await chord([multiply.s(1, 1)])(total.s()).delay(), Result[float])
    assert_type(await (chord([multiply.s(1, 1)], total.s()) | plain.s()).delay(), Result[str])

    multiply.si(2)  # E: call-arg
    multiply.si(2, "3")  # E: arg-type
    numbers: list[str] = await group([multiply.s(1, 1)])()  # E: assignment
    length: int = await (call | plain.s()).delay()  # E: assignment
    group(multiply)  # E: call-overload
    print(numbers, length)


@task(name="typed.misspelt", max_retry=5)  # E: call-overload
async def misspelt() -> None: ...


@task(name="typed.wrong_value", max_retries="five")  # E: call-overload
async def wrong_value() -> None: ...


async def fetch(number: int) -> str:
    return str(number)


def compute(number: int) -> int:
    return number


@task(name="typed.durable", bind=True)
async def durable(self: CurrentJob, number: int) -> str:
    assert_type(await self.step("fetch", fetch, number), str)
    assert_type(await self.step("compute", compute, number, key=number, retries=2), int)
    assert_type(await self.run(multiply.s(2, 3)), int)
    assert_type(await self.run(group(multiply.s(i, i) for i in range(9)), name="all"), list[int])
    assert_type(await self.run(multiply.s(2, 3) | plain.s()), str)
    await self.sleep(5)
    await self.sleep("5")  # E: arg-type
    await self.run(multiply)  # E: arg-type
    return await self.step("compute", compute, number)  # E: arg-type


@task(name="typed.plain_durable", bind=True)
def plain_durable(self: CurrentJob, number: int) -> int:
    assert_type(self.blocking.step("compute", compute, number), int)
    assert_type(self.blocking.run(plain.s("here")), str)
    return number


async def settings() -> None:
    worker_settings(redis_url="redis://", tasks=[multiply], cron_jobs=[crontab(multiply, args=(2, 3))], max_jobs=5)
    worker_settings(redis_url="redis://", max_job=5)  # E: call-arg
    worker_settings(redis_url="redis://", lease="15")  # E: arg-type
    async with connect("redis://", answer_s=2, middleware=[Bare()]):
        pass
    connect("redis://", answer="2")  # E: call-arg
    connect("redis://", answer_s="2")  # E: arg-type


def plain_code() -> None:
    assert_type(multiply.blocking.delay(2, 3), BlockingResult[int])
    assert_type(multiply.blocking.delay(2, y=3).get(timeout=5), int)
    assert_type(multiply.blocking.apply_async((2, 3), countdown=5).get(propagate=False), Any)
    assert_type(multiply.blocking.apply_many([(2, 3)]), list[BlockingResult[int]])
    assert_type(multiply.result("id").blocking.get(), int)
    assert_type(plain.s("here").blocking.delay().get(), str)
    assert_type(group(multiply.s(i, i) for i in range(9)).blocking.delay().get(), list[int])
    assert_type((multiply.s(2, 3) | plain.s()).blocking.apply_async(countdown=5).get(), str)
    assert_type(blocking.first([multiply.blocking.delay(2, 3)]), int)
    blocking.connect("redis://localhost", answer_s=2)
    multiply.blocking.delay(2)  # E: call-arg
    multiply.blocking.delay(2, "3")  # E: arg-type
    multiply.blocking.apply_async((2, 3), count_down=5)  # E: call-arg
    bound.blocking.delay("4")  # E: arg-type
    blocking.connect("redis://localhost", answer=2)  # E: call-arg

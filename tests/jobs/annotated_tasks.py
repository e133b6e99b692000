"""Types of an application, tasks that are annotated with them, and each way in which such a task is called."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, NewType, TypeVar

import attrs
import msgspec
import pydantic

from jobs import CurrentJob, Result, chain, chord, declare_type, group, send_task, signature, task
from jobs.client.connection import JobsRedis
from jobs.store import default

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = ("blue", 2)


class Size(enum.IntEnum):
    S = 1
    L = 2


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Odd(enum.Enum):
    THING = object()


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal = Decimal("1.10")
    tags: frozenset[str] = frozenset()


@dataclass
class Base(Generic[T]):
    inner: T


@dataclass(kw_only=True)
class Order(Base[list[Line]]):
    id: int
    colour: Colour = Colour.RED
    at: datetime | None = None
    file: Path | None = None
    before: Order | None = None
    sizes: dict[Size, tuple[Line, ...]] = field(default_factory=dict)
    total: int = field(init=False, default=0)


class Pair(NamedTuple):
    left: Path
    right: int = 2


@attrs.define
class Box:
    _hidden: Colour
    n: int = 1


class Model(pydantic.BaseModel):
    colour: Colour
    secret: pydantic.SecretStr = pydantic.SecretStr("x")
    at: datetime | None = None
    file: Path = pydantic.Field(default=Path("a"), alias="File")
    lines: tuple[Line, ...] = ()

    @pydantic.computed_field
    def double(self) -> int:
        return 2


class Struct(msgspec.Struct):
    size: Size
    at: datetime | None = None
    cost: Decimal = Decimal("1.5")
    raw: bytes = b"\xff"
    numbers: set[int] = set()


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return self.cents

    def __repr__(self) -> str:
        return f"Money({self.cents})"


declare_type(Money, lambda money: money.cents, Money)
OrderId = NewType("OrderId", Base[Size])


LINE = Line("a", Decimal("2.50"), frozenset({"x"}))
ORDER = Order(id=1, inner=[LINE], at=datetime(2026, 1, 2), file=Path("x"), sizes={Size.L: (LINE,)})
ORDER.before = Order(id=2, inner=[], colour=Colour.BLUE)
ORDER.total = 7
EXAMPLES: list[tuple[Any, Any]] = [
    (Order, ORDER), (list[Order], [ORDER, ORDER]), (dict[str, Order | None], {"a": ORDER, "b": None}),
    (frozenset[Colour], frozenset({Colour.BLUE})), (tuple[int, Line], (1, LINE)),
    (tuple[Line, ...], (LINE,)), (dict[Size, Line], {Size.S: LINE}), (Base[Line], Base(LINE)), (OrderId, Base(Size.S)),
    (Colour, Colour.BLUE), (Size, Size.L), (Rights, Rights.READ | Rights.WRITE), (Rights, Rights(0)), (Odd, Odd.THING),
    (Path, Path("a/b")), (Pair, Pair(Path("x"))), (Line | int | None, LINE),
    (Line | int | None, 3), (Line | int | None, None), (Literal[Size.S, "x"], Size.S), (Literal[Size.S, "x"], "x"),
    (Box, Box(Colour.RED, 3)), (list[Model], [Model(colour=Colour.RED, File="b", lines=[LINE], at=ORDER.at)]),
    (Struct, Struct(Size.L, ORDER.at, numbers={1})), (list[Money], [Money(5)]),
    (Money | None, Money(5)), (Money | None, None), (set[tuple[Path, int]], {(Path("a"), 1)}),
]  # fmt: skip
"""Annotations, each with a value."""

seen: list[Any] = []


@task(name="annotated.echo", bind=True, max_retries=1, default_retry_delay=0)
async def echo(
    self: CurrentJob, order: Order, /, *more: Order, line: Line = LINE, last: Order = None, **others: Line  # type: ignore[assignment]  # as people write it
) -> list[Any]:  # fmt: skip
    seen.append([type(one) for one in (order, *more, line, last, *others.values())])
    assert self.request.args == (order, *more)
    return [order.id, *(one.id for one in more), line.sku, *(one.sku for one in others.values())]


@task(name="annotated.make")
def make(id: int) -> Order:
    return Order(id=id, inner=[LINE])


@task(name="annotated.again", bind=True, max_retries=3, default_retry_delay=0)
async def again(self: CurrentJob, order: Order) -> Order:
    order.id += 1  # a retry gets what was sent
    if self.request.retries < 2:
        self.retry()
    return order


@task(name="annotated.in_process", process=True)
def in_process(order: Order) -> Order:
    assert type(order) is Order
    order.total += 1
    return order


@task(name="annotated.ids")
async def ids(orders: list[Order]) -> list[int]:
    return [order.id for order in orders]


@task(name="annotated.on_error")
async def on_error(request: Any, error: Exception, traceback: str, order: Order) -> None:
    seen.append((type(request.args[0]), type(order)))


@task(name="annotated.fails")
async def fails(order: Order) -> None:
    raise ValueError(order.id)


@task(name="annotated.parent")
async def parent(order: Order) -> Order:
    return await (await again.delay(order))


@task(name="annotated.unannotated")
async def unannotated(value):  # type: ignore[no-untyped-def]
    return value


ALL = [echo, make, again, in_process, ids, on_error, fails, parent, unannotated]


async def _apply_many() -> Any:
    return [await one for one in await echo.apply_many([(ORDER,), echo.s(ORDER, ORDER)])]


async def _first_of_completed() -> Any:
    return [await one async for one in (await group(make.s(4)).delay()).as_completed()]


async def _task_result() -> Any:
    return await make.result((await make.delay(5)).id)


async def _result_of_an_id() -> Any:
    return (await Result((await make.delay(5)).id))["inner"]


async def _enqueue_job() -> Any:
    redis: JobsRedis = default.current()
    job = await redis.enqueue_job("annotated.make", 5)
    other = await redis.enqueue_job("annotated.echo", ORDER, line=LINE)
    assert job is not None
    assert other is not None
    return [await make.result(job.job_id), await echo.result(other.job_id)]


async def _link() -> Any:
    await make.apply_async((6,), link=echo.s(ORDER, x=LINE))


async def _link_error() -> Any:
    return await (await fails.apply_async((ORDER,), link_error=on_error.s(ORDER))).get(propagate=False)


MADE = {"sku": "a", "price": Decimal("2.50"), "tags": frozenset({"x"})}
Way = Callable[[], Awaitable[Any]]
WAYS: dict[str, tuple[Way, Any]] = {
    "delay": (lambda: echo.delay(ORDER, ORDER, line=LINE, x=LINE), [1, 1, "a", "a"]),
    "a default": (lambda: echo.delay(ORDER), [1, "a"]),
    "apply_async": (lambda: echo.apply_async((ORDER,), {"last": ORDER}), [1, "a"]),
    "apply_many": (_apply_many, [[1, "a"], [1, 1, "a"]]),
    "s": (lambda: echo.s(ORDER).delay(), [1, "a"]),
    "si": (lambda: echo.si(ORDER).delay(), [1, "a"]),
    "signature": (lambda: echo.signature((ORDER,), {"x": LINE}).apply_async(), [1, "a", "a"]),
    "a partial completed": (lambda: (make.s(3) | echo.s(ORDER, line=LINE)).delay(), [3, 1, "a"]),
    "an immutable step": (lambda: chain(make.s(3), echo.si(ORDER)).delay(), [1, "a"]),
    "plain data instead": (lambda: echo.delay({"id": 9, "inner": []}, line={"sku": "b"}), [9, "b"]),  # type: ignore[arg-type]
    "group": (lambda: group(make.s(1), make.s(2)).delay(), [make.function(1), make.function(2)]),
    "a group of groups": (lambda: group(group(make.s(1)).set(queue="default"), make.s(2)).delay(),
                          [make.function(1), make.function(2)]),
    "a group's arguments": (lambda: group(echo.s(), unannotated.s()).delay({"id": 9, "inner": []}),
                            [[9, "a"], {"id": 9, "inner": []}]),
    "return_exceptions": (lambda: group(make.s(1), return_exceptions=True).delay(), [make.function(1)]),
    "a chain's arguments": (lambda: (echo.s(ORDER) | unannotated.s()).delay(ORDER), [1, 1, "a"]),
    "chord": (lambda: chord([make.s(1), make.s(2)], ids.s()).delay(), [1, 2]),
    "map": (lambda: echo.s(ORDER).map([ORDER]).delay(), [[1, 1, "a"]]),
    "starmap": (lambda: echo.starmap([(ORDER, ORDER)]).delay(), [[1, 1, "a"]]),
    "map gives": (lambda: make.map([1]).delay(), [make.function(1)]),
    "chunks": (lambda: echo.chunks([(ORDER,), (ORDER,)], 1).delay(), [[[1, "a"]], [[1, "a"]]]),
    "send_task": (lambda: send_task("annotated.echo", [ORDER], {"line": LINE}), [1, "a"]),
    "signature by name": (lambda: signature("annotated.make", [3]).delay(), make.function(3)),
    "process": (lambda: in_process.delay(Order(id=1, inner=[LINE])), in_process.function(Order(id=1, inner=[LINE]))),
    "retry": (lambda: again.delay(ORDER), Order(id=2, inner=[LINE])),
    "a task calls": (lambda: parent.delay(ORDER), Order(id=2, inner=[LINE])),
    "result": (lambda: make.delay(5), make.function(5)),
    "task.result": (_task_result, make.function(5)),
    "Result": (_result_of_an_id, [MADE]),
    "as_completed": (_first_of_completed, [make.function(4)]),
    "enqueue_job": (_enqueue_job, [make.function(5), [1, "a"]]),
    "link": (_link, None),
    "link_error": (_link_error, None),
}  # fmt: skip
"""Each way in which a call is made or a result is read, with what it gives."""

"""The error callbacks of a body that is not called, because its header failed: called once, as in Celery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from jobs import Signature, chain, chord, group, signature, task
from jobs.tasks import registry
from jobs.workflows.canvas import LINK_ERROR, Node, Path, evaluate
from jobs.workflows.stored_tree import from_dict
from tests.registered_tasks import forget


@pytest.fixture(autouse=True)
def tasks() -> Any:
    @task(name="errback.fine")
    async def fine(*args: Any) -> str:
        return "fine"

    @task(name="errback.fail")
    async def fail(text: str, *args: Any) -> None:
        raise ValueError(text)

    @task(name="errback.told")
    async def told(*args: Any) -> None: ...

    yield
    for made in (fine, fail, told):
        forget(made.name)


def fine() -> Signature:
    return signature("errback.fine")


def fail(text: str = "first") -> Signature:
    return signature("errback.fail", (text,), immutable=True)


def told(mark: str = "") -> Signature:
    """Called with (request, exception, traceback, mark)."""
    return signature("errback.told", (mark,))


Build = Callable[[Node], Node]

AFTER_A_HEADER: dict[str, Build] = {
    "chord(header)(body)": lambda header: chord(header)(fine().on_error(told())),
    "chord(header, body)": lambda header: chord(header, fine().on_error(told())),
    "chord(header) | body": lambda header: chord(header) | fine().on_error(told()),
    "group | body": lambda header: header | fine().on_error(told()),
    "the chord itself": lambda header: chord(header, fine()).on_error(told()),
    "link_error=": lambda header: header | fine().set(link_error=told()),
    "step | group | body": lambda header: fine() | header | fine().on_error(told()),
    "chain(group, body)": lambda header: chain(header, fine().on_error(told())),
    "the body is a chain": lambda header: chord(header)((fine() | fine()).on_error(told())),
    "the last step of the body": lambda header: chord(header)(fine() | fine().on_error(told())),
    "group | step | last step": lambda header: header | fine() | fine().on_error(told()),
    "each step has it": lambda header: header | fine().on_error(told()) | fine().on_error(told()),
    "the body is a group": lambda header: chord(header)(group(fine().on_error(told()), fine())),
    "the body is a chord": lambda header: chord(header)(chord([fine()], fine().on_error(told()))),
    "the errback is a chain": lambda header: header | fine().on_error(told() | fine()),
    "in a group": lambda header: group(fine(), header | fine().on_error(told())),
    "in a chain": lambda header: chain(fine(), chord(header, fine().on_error(told())), fine()),
    "in a header": lambda header: chord([chord(header, fine().on_error(told())), fine()], fine()),
    "in a header, of the outer body": lambda header: chord([chord(header, fine()), fine()], fine().on_error(told())),
}
HEADERS: dict[str, tuple[Callable[[], Node], bool]] = {
    "one of three fails": (lambda: group(fine(), fail(), fine()), True),
    "all fail": (lambda: group(fail(), fail("second")), True),
    "a chain in it fails": (lambda: group(fine() | fail(), fine()), True),
    "a few at a time": (lambda: group(fail(), fine(), fail("second"), max_concurrency=1), True),
    "none fails": (lambda: group(fine(), fine()), False),
    "errors in the list": (lambda: group(fail(), fine(), return_exceptions=True), False),
}


async def calls_of(tree: Node) -> tuple[list[tuple[Path, Signature]], Any]:
    """Evaluate as a worker does: what is called, in order, and how it ends."""
    called: list[tuple[Path, Signature]] = []

    async def call(signature: Signature, path: Path) -> Any:
        called.append((path, signature))
        return await registry.lookup(signature.task)(*signature.args)

    [value] = await asyncio.gather(evaluate(tree, call=call, request="request"), return_exceptions=True)
    return called, value


@pytest.mark.parametrize("shape", AFTER_A_HEADER)
@pytest.mark.parametrize("header", HEADERS)
async def test_the_errback_of_a_body_is_called_once_if_its_header_fails(header: str, shape: str) -> None:
    build, fails = HEADERS[header]
    tree = AFTER_A_HEADER[shape](build())

    called, value = await calls_of(from_dict(json.loads(json.dumps(tree.to_dict()))))

    errbacks = [(path, call) for path, call in called if call.task == "errback.told"]
    assert len(errbacks) == (1 if fails else 0)
    assert len({path for path, _ in called}) == len(called)
    if fails:
        [(path, call)] = errbacks
        assert LINK_ERROR in path
        assert (call.args[0], repr(call.args[1])) == ("request", "ValueError('first')")
        assert repr(value) == "ValueError('first')"


async def test_a_body_that_fails_by_itself_calls_its_errback_once() -> None:
    """A task as body calls its own, as every job does; a chain as body is no job."""
    body = (fine() | fail()).on_error(told())

    called, _ = await calls_of(chord([fine()], body))

    assert [path for path, call in called if call.task == "errback.told"] == [(1, LINK_ERROR, 0)]


async def test_the_errback_of_a_later_step_is_not_called_for_a_step_that_is_no_group() -> None:
    """Celery's rule for chains: the errback of a task is its own."""
    called, _ = await calls_of(fail() | fine().on_error(told()))

    assert [call.task for _, call in called] == ["errback.fail"]

"""`python -m tests.app.showing REDIS_URL`: calls with generated values, and everything that shows them.

A process of its own: a value that kills it shows as a signal. EXAMPLES=50 in the environment makes a long run.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from itertools import chain as joined
from typing import Any
from uuid import uuid4

import msgpack
from arq.worker import create_worker
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol

from jobs import JsonLines, Result, Viewer, chain, connect, encoding, group, monitor_app, task, worker_settings
from jobs.commands import main
from jobs.errors import EncodingError
from jobs.store import default
from jobs.store.call import Call
from tests.jobs import example_values as values
from tests.waiting import wait_until

REDIS_URL = sys.argv[-1]
LONGEST = 2_000_000
"""Characters of a page, or of what a command prints."""

app = monitor_app(REDIS_URL, viewer=lambda request: Viewer("reader", can_act=True, timezone="Europe/Berlin"))


@task(name="shown.echo")
async def echo(*args: Any, **kwargs: Any) -> Any:
    return next(iter([*args, *kwargs.values()]), None)


@task(name="shown.fail")
async def fail(value: Any) -> None:
    raise value if isinstance(value, Exception) else ValueError(value)


@task(name="shown.report", bind=True)
async def report(self: Any, value: Any) -> None:
    await self.update_state(meta=value)


@task(name="shown.change")
async def change(value: Any) -> str:
    """Its arguments are its own: what was sent is shown all the same."""
    for holder in (value, {}, []):
        with contextlib.suppress(Exception):
            holder["mine"] = object()
        with contextlib.suppress(Exception):
            holder.append(object())
    return "fine"


names = st.sampled_from(["value", "password", "größe", "x" * 300])
anything = st.one_of(
    values.travelling,
    values.brief(values.exceptions(values.travelling)),
    st.integers(0, len(values.REFUSED) - 1).map(lambda n: values.REFUSED[n][0]),
    st.tuples(values.keys, st.integers(60, 600), st.integers(0, 3)).map(lambda given: values.wrapped(*given)),
    st.integers(1, 100_000).map(lambda n: list(range(n))),
    st.integers(1, 300_000).map("x".__mul__),
)
batches: list[tuple[list[Any], str]] = []


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "2")),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(anything, min_size=6, max_size=6), names)
def draw(several: list[Any], name: str) -> None:
    batches.append((several, name))


async def everything_shows() -> None:
    async with connect(REDIS_URL), logs() as (lines, json_lines), running_worker(), app.test_app():
        client = app.test_client()
        calls = [await called(several, name) for several, name in batches]
        ended, waiting, workflows = (list(joined.from_iterable(kind)) for kind in zip(*calls, strict=True))
        ended += await stored_by_others()
        for result in [*ended, *workflows]:
            value = await result.get(timeout=30, propagate=False)
            if result.id.startswith("change"):
                assert value == "fine"
            if result.id.startswith("fail"):
                callback = Result(f"{result.id}::-2.0")
                await callback.get(timeout=30, propagate=False)
                assert await callback.state() == "SUCCESS"
        for result in ended:
            assert f" {result.id}:" in lines.getvalue()
        for line in json_lines.getvalue().splitlines():
            json.loads(line)
        members = [member for workflow in workflows for member in await workflow.children()]
        await show_pages(client, [*ended, *waiting, *workflows, *members])
        await show_workflows(client, workflows)
        await show_commands([*ended, *waiting, *workflows][::4])


async def called(several: list[Any], name: str) -> tuple[list[Result], list[Result], list[Result]]:
    """The calls of all values that are taken: which end, which wait, and workflows."""
    ended, waiting, workflows = [], [], []
    for value in several:
        new = uuid4().hex
        with contextlib.suppress(EncodingError):
            ended.append(await echo.delay(value, **{name: value}))
            ended.append(await change.apply_async((value,), task_id=f"change{new}"))
            ended.append(await fail.apply_async((value,), task_id=f"fail{new}", link_error=echo.s()))
            ended.append(await report.delay(value))
            waiting.append(await echo.apply_async((value,), {name: value}, countdown=3_600))
            workflows.append(await group(echo.s(value), chain(echo.s(value), echo.s(value))).delay())
    return ended, waiting, workflows


async def stored_by_others() -> list[Result]:
    """Calls that only others store: an earlier release, and what writes into Redis."""
    pairs: list[tuple[Any, Any]] = [
        (values.wrapped("deep", 490, 0), {}),
        (values.wrapped("deep", 100, 1), {}),
        (values.wrapped("deep", 150, 1), {}),
        (msgpack.ExtType(1, tagged(5_000)), {}),
        (1, {1: 2, None: 3}),
        (1, {b"password": 2}),
        (msgpack.ExtType(99, b""), {}),
        (msgpack.ExtType(30, b"\x91\xc0"), {}),
        (msgpack.ExtType(20, b"\xc0"), {}),
    ]
    calls = []
    for value, kwargs in pairs:
        payload = encoding.pack({"t": None, "f": echo.name, "a": [value], "k": kwargs, "et": 1})
        calls.append(Call(uuid4().hex, "default", payload, echo.name))
    calls.append(Call(uuid4().hex, "default", msgpack.packb({"f": echo.name, "a": 5, "k": 7}), echo.name))
    await default.current().enqueue(calls)
    return [Result(call.id) for call in calls]


def tagged(levels: int) -> bytes:
    """Tuples inside each other, encoded."""
    data = b"\x90"
    for _ in range(levels):
        inside = b"\x91" + data
        data = b"\xc9" + len(inside).to_bytes(4, "big") + b"\x01" + inside
    return b"\x91" + data


async def show_pages(client: TestClientProtocol, results: list[Result]) -> None:
    paths = [
        "/jobs",
        "/jobs?q=xyz",
        "/jobs?q=state:failed",
        "/jobs?q=None",
        "/jobs?q=state:scheduled",
        "/workflows",
        "/",
    ]
    for path in [*paths, *(f"/job?id={r.id}" for r in results)]:
        response = await client.get(path)
        page = await response.get_data(as_text=True)
        assert response.status_code == 200, (path, page[-2_000:])
        assert len(page) < LONGEST, path


async def show_workflows(client: TestClientProtocol, workflows: list[Result]) -> None:
    for workflow in workflows:
        response = await client.get(f"/workflow?id={workflow.id}")
        assert response.status_code == 200, await response.get_data(as_text=True)


async def show_commands(results: list[Result]) -> None:
    words = [["inspect", "scheduled"], ["inspect", "queued"], ["workflows"]]
    for result in results:
        words += [["result", result.id, "--traceback"], ["why", result.id]]
    for command in words:
        await asyncio.to_thread(run_command, command)
        json.loads(await asyncio.to_thread(run_command, [*command, "--json"]))


def run_command(words: list[str]) -> str:
    out = io.StringIO()
    ended: Any = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main(["--redis-url", REDIS_URL, *words])
        except SystemExit as leaving:
            ended = leaving.code
    assert ended in (0, 1), (words, out.getvalue())
    assert len(out.getvalue()) < LONGEST, words
    return out.getvalue()


@contextlib.asynccontextmanager
async def logs() -> AsyncIterator[tuple[io.StringIO, io.StringIO]]:
    """What the worker logs, as text and as JSON. A line that cannot be written raises."""
    text, plain = io.StringIO(), io.StringIO()
    handlers = [logging.StreamHandler(text), logging.StreamHandler(plain)]
    handlers[1].setFormatter(JsonLines())
    logger = logging.getLogger("arq.worker.jobs")
    logger.setLevel(logging.INFO)
    for handler in handlers:
        handler.handleError = _raise  # type: ignore[method-assign]
        logger.addHandler(handler)
    yield text, plain
    for handler in handlers:
        logger.removeHandler(handler)


def _raise(record: logging.LogRecord) -> None:
    raise  # logging calls this while the exception is handled


@contextlib.asynccontextmanager
async def running_worker() -> AsyncIterator[None]:
    made: Any = worker_settings(
        redis_url=REDIS_URL, tasks=[echo, fail, report, change], handle_signals=False, poll_delay=0.2
    )
    worker: Any = create_worker(made)
    running = worker.main_task = asyncio.create_task(worker.main())
    await wait_until(lambda: running.done() or worker.statistics().name, "the worker to start")
    yield
    await worker.close()
    await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    draw()
    asyncio.run(everything_shows())

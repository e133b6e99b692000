"""docs/events.md: each kind of event is caused once, and its names and fields are those of the page's tables."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import get_type_hints

import msgpack
import pytest
from arq.connections import create_pool

from jobs import Result, group, monitor, send_task
from jobs.client.connection import JobsRedis
from jobs.contrib.event_listening import LISTENS_S, MAX_QUEUED, WATCH_INTERVAL_S
from jobs.store.keys import WORKER_SILENT_MS, Keys
from jobs.store.redis_url import RedisURL
from tests.documents import as_in_the_clone
from tests.jobs.commands.conftest import StartOnline
from tests.jobs.commands.listening import Listener
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT
from tests.waiting import wait_until

PAGE = as_in_the_clone(ROOT / "docs" / "events.md")
WORD = re.compile(r"`(\w+)`")
TABLES = PAGE.partition("| field |")
EVENTS = {
    (kind, state): cell for kind, state, cell in re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) ?\|", TABLES[0], re.M)
}
"""The cell of the other fields, by kind and state."""
FIELDS = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \| text", TABLES[2], re.M))
"""The type, by name."""
ALWAYS = {"at", "kind", "id", "state"}
Row = dict[str, str]


@pytest.fixture
async def stream(connection: JobsRedis) -> AsyncIterator[list[monitor.Event]]:
    """What `monitor.events` yields during the test."""
    heard: list[monitor.Event] = []

    async def listen() -> None:
        async with aclosing(monitor.events(connection)) as events:
            async for event in events:
                heard.append(event)

    listening = asyncio.create_task(listen())
    yield heard
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


@contextmanager
def listening(redis_url: str, folder: Path) -> Iterator[tuple[Listener, Callable[[], str]]]:
    """The command, and the page's program: yields the one, and what the other has printed."""
    [program] = re.findall(r"^```python\n# failures\.py\n(.*?)^```$", PAGE, re.M | re.S)
    (folder / "failures.py").write_text(program)
    environment = os.environ | {"REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)}
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen([sys.executable, "failures.py"], cwd=folder, env=environment, stdout=printed)
    listener = Listener(redis_url, folder / "events", "--json")
    try:
        yield listener, (folder / "printed").read_text
    finally:
        for each in (process, listener.process):
            each.kill()
            each.wait()


async def cause_each(connection: JobsRedis, redis_url: str) -> tuple[Row, Result]:
    """The ids of jobs that come to every state, by what they are; and the workflow that fails and is retried."""
    good, bad, again = await tasks.log.delay("secret"), await tasks.fail.delay(), await tasks.flaky.delay(1)
    waits, long = await tasks.log.apply_async(("x",), countdown=60), await tasks.nap.delay(60)
    nobody, flow = await send_task("tests.nobody_has_it"), await group(tasks.log.s(1), tasks.fail.s()).delay()
    once, _ = await tasks.unique.apply_many([("runs.txt", 7)] * 2, countdown=60)
    stock = await create_pool(RedisURL.read(redis_url).arq_settings(), job_serializer=msgpack.packb)
    job = await stock.enqueue_job("tests.flaky", 1)
    await stock.aclose()
    assert job is not None
    old = Result(job.job_id, connection)
    await waits.revoke()
    await wait_until(lambda: _is(long, "STARTED"), "the long one to run")
    await long.revoke(terminate=True)
    for ending in (good, bad, again, long, flow, old):
        await ending.get(timeout=10, propagate=False)
    assert await flow.retry_failed()
    await flow.get(timeout=10, propagate=False)
    named = {"good": good, "bad": bad, "again": again, "waits": waits, "long": long, "nobody": nobody, "old": old}
    named["once"] = once
    return {name: result.id for name, result in named.items()}, flow


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state


async def test_the_tables_are_what_is_published(
    redis_url: str, connection: JobsRedis, start_online: StartOnline, stream: list[monitor.Event], tmp_path: Path
) -> None:
    with listening(redis_url, tmp_path) as (listener, printed):

        async def all_listen() -> bool:
            there = dict(await connection.pubsub_numsub(Keys.EVENTS))
            return there[Keys.EVENTS.encode()] == 3 and bool(await connection.exists(Keys.LISTENING))

        async def all_heard(state: str) -> None:
            await wait_until(lambda: listener.has(kind="worker", state=state), f"{state} to be printed")
            await wait_until(lambda: any(event.state == state for event in stream), f"{state} to be yielded")

        await wait_until(all_listen, "all three to listen", timeout_s=20)
        late = await tasks.log.apply_async(("too late",), expires=0.001)
        worker = await start_online()
        ids, flow = await cause_each(connection, redis_url)
        await all_heard("online")
        worker.process.terminate()
        await all_heard("offline")
        rows = listener.events
        failed = "".join(f"{row['task']} {row['id']}\n" for row in rows if row["state"] == "FAILURE")
        await wait_until(lambda: printed() == failed, f"the program to print\n{failed}")

    found: dict[tuple[str, str], list[set[str]]] = {}
    of_stock = [row for row in rows if row["id"] == ids["old"]]
    assert {"task"} & set().union(*of_stock) == set()
    for row in rows:
        if row not in of_stock:
            found.setdefault((row["kind"], row["state"]), []).append(row.keys() - ALWAYS)
    optional = {event: set(WORD.findall("".join(re.findall(r"\(.*?\)", cell)))) for event, cell in EVENTS.items()}
    assert {event: set.union(*names) for event, names in found.items()} == {
        event: set(WORD.findall(cell)) for event, cell in EVENTS.items()
    }
    assert {event: set.union(*names) - set.intersection(*names) for event, names in found.items()} == optional

    assert list(FIELDS) == [field.name for field in fields(monitor.Event)]
    assert {name: kind.__name__ for name, kind in get_type_hints(monitor.Event).items()} == FIELDS
    assert {type(value) for row in rows for value in row.values()} == {str}
    assert all(datetime.fromisoformat(row["at"]).tzinfo == UTC for row in rows)
    assert "secret" not in listener.log.read_text()

    assert jobs(rows) == jobs([as_line(event) for event in stream])  # every listener hears the same, in one order
    assert [row["at"] for row in jobs(rows)] == sorted(row["at"] for row in jobs(rows))
    assert {name: states(rows, id) for name, id in ids.items()} == {
        "old": ["STARTED", "RETRY", "STARTED", "SUCCESS"],
        "once": ["PENDING", "FOLDED"],
        "good": ["PENDING", "STARTED", "SUCCESS"],
        "bad": ["PENDING", "STARTED", "FAILURE"],
        "again": ["PENDING", "STARTED", "RETRY", "STARTED", "SUCCESS"],
        "waits": ["PENDING", "REVOKED"],
        "long": ["PENDING", "STARTED", "REVOKED"],
        "nobody": ["PENDING", "STARTED"],  # and put back: the way back has no event
    }
    assert states(rows, late.id) == ["PENDING", "STARTED", "REVOKED"]  # it expired
    assert states(rows, flow.id) == ["PENDING", "STARTED", "FAILURE", "STARTED", "FAILURE"]
    assert states(rows, f"{flow.id}:1") == ["PENDING", "STARTED", "FAILURE"] * 2


def as_line(event: monitor.Event) -> Row:
    return {name: value for name, value in asdict(event).items() if value != ""} | {"at": event.at.isoformat()}


def jobs(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["kind"] == "job"]


def states(rows: list[Row], id: str) -> list[str]:
    """What it came to; a job that is put back again and again counts once."""
    all_states = [row["state"] for row in rows if row["id"] == id]
    return [state for state, before in zip(all_states, ["", *all_states], strict=False) if state != before]


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"while {MAX_QUEUED:,} events wait" in PAGE
    assert f"looked at every {WATCH_INTERVAL_S:g} s" in PAGE
    assert f"and for {LISTENS_S} s afterwards" in PAGE
    assert f"nothing for {WORKER_SILENT_MS // 1000} s" in PAGE

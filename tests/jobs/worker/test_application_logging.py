"""Whatever an application does with logging, its jobs end as their code says, and values of any kind can be logged."""

from __future__ import annotations

import json
import logging
import logging.handlers
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs import JsonLines, task
from jobs.errors import EncodingError
from jobs.worker.execution import job_log
from jobs.worker.execution.claimed_job import SUCCESS, CallData, ClaimedJob, Outcome
from tests.jobs.worker.conftest import ROOT, StartWorker

log = logging.getLogger("shop")
log.setLevel(logging.INFO)


def holds_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Raising(Exception):
    @property
    def extra(self) -> object:
        raise RuntimeError("no extra")


class Own(BaseException):
    pass


ERRORS: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("b"),
    "Raising": Raising,
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "Own": Own,
}
VALUES: dict[str, Callable[[], Any]] = {
    "holds itself": holds_itself,
    "nested": lambda: nested(100_000),
    "in a dict": lambda: {"a": holds_itself(), "b": float("nan")},
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("-inf")],
}


@task(name="logging.fine")
async def fine() -> int:
    return 1


@task(name="logging.bad")
async def bad(kind: str) -> None:
    raise ERRORS[kind]()


@task(name="logging.give")
async def give(kind: str) -> Any:
    return VALUES[kind]()


@task(name="logging.say")
async def say(kind: str) -> None:
    log.info("said", extra={"odd": VALUES[kind](), "good": 0.5}, stack_info=True)


class Kept(logging.StreamHandler[Any]):
    """Keeps records, and what a formatter makes of them."""

    def __init__(self) -> None:
        super().__init__(stream=None)
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A handler on the root, as applications put it there."""
    root, handler = logging.getLogger(), Kept()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def factory_that_sets(**fields: Any) -> Callable[..., logging.LogRecord]:
    def make(*args: Any, **more: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **more)
        vars(record).update(fields)
        return record

    return make


def failing(*args: Any, **more: Any) -> Any:
    raise OSError("the log is away")


def fails_at(mark: str) -> Callable[[logging.LogRecord], bool]:
    def look(record: logging.LogRecord) -> bool:
        if mark in record.getMessage():
            raise RuntimeError(f"a filter at {mark}")
        return True

    return look


Monkey = pytest.MonkeyPatch
WAYS: dict[str, Callable[[Monkey, Kept], Any]] = {
    "factory sets fields": lambda monkey, kept: monkey.setattr(
        logging, "_logRecordFactory", factory_that_sets(job_id="-", task="-", state="x", run_s=-1, extra="-")
    ),
    "factory fails": lambda monkey, kept: monkey.setattr(logging, "_logRecordFactory", failing),
    "makeRecord fails": lambda monkey, kept: monkey.setattr(logging.Logger, "makeRecord", failing),
    "filter at the start": lambda monkey, kept: kept.addFilter(fails_at("→")),
    "filter at the end": lambda monkey, kept: kept.addFilter(fails_at("←")),
    "filter at a failure": lambda monkey, kept: kept.addFilter(fails_at("failed")),
    "handler": lambda monkey, kept: monkey.setattr(kept, "emit", failing),
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_error_of_logging_decides_what_becomes_of_a_job(
    start_worker: StartWorker, kept: Kept, monkeypatch: Monkey, way: str
) -> None:
    worker = await start_worker(tasks=[fine, bad])
    WAYS[way](monkeypatch, kept)

    first, second = await fine.delay(), await bad.delay("ValueError")

    assert await first.get(timeout=5) == 1
    with pytest.raises(ValueError, match="b"):
        await second.get(timeout=5)
    assert not worker.main_task.done()
    states = [vars(record).get("state") for record in kept.records if first.id in record.getMessage()]
    ids = {vars(record).get("job_id") for record in kept.records if first.id in record.getMessage()}
    if not way.startswith(("filter", "handler")):
        assert (states, ids) == (["STARTED", "SUCCESS"], {first.id})


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_failure_is_one_line_about_the_job(start_worker: StartWorker, kept: Kept, kind: str) -> None:
    kept.setFormatter(JsonLines())
    await start_worker(tasks=[bad])

    result = await bad.delay(kind)

    assert kind in repr(await result.get(timeout=5, propagate=False))
    (line,) = [json.loads(line) for line in kept.lines if "failed" in line]
    assert (line["task"], line["state"], line["level"]) == ("logging.bad", "FAILURE", "ERROR")
    assert line["run_s"] >= 0
    assert "Traceback" in line["exception"]
    assert ("extra" in line) == (kind == "Raising")


def not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("kind", VALUES)
async def test_a_value_of_any_kind_is_logged_as_json(start_worker: StartWorker, kept: Kept, kind: str) -> None:
    kept.setFormatter(JsonLines())
    await start_worker(tasks=[say])

    await (await say.delay(kind)).get(timeout=5)

    (line,) = [json.loads(line, parse_constant=not_json) for line in kept.lines if '"said"' in line]
    assert isinstance(line["odd"], str)
    assert len(line["odd"]) <= 1_000
    assert line["good"] == 0.5
    assert line["stack"].startswith("Stack (most recent call last)")


@pytest.mark.parametrize("kind", ["holds itself", "nested", "in a dict"])
async def test_a_result_nested_too_deep_is_refused_as_such(start_worker: StartWorker, kind: str) -> None:
    await start_worker(tasks=[give])

    with pytest.raises(EncodingError, match="nested too deep"):
        await (await give.delay(kind)).get(timeout=5)


async def test_json_is_of_handlers_behind_a_handler_too(
    start_worker: StartWorker, kept: Kept, monkeypatch: Monkey
) -> None:
    behind = logging.handlers.MemoryHandler(1, target=kept)
    monkeypatch.setattr(logging.getLogger(), "handlers", [behind])
    await start_worker(tasks=[fine], log_format="json")

    result = await fine.delay()
    await result.get(timeout=5)

    assert [line["state"] for line in map(json.loads, kept.lines) if line.get("job_id") == result.id] == [
        "STARTED",
        "SUCCESS",
    ]


async def test_a_makerecord_of_the_application_makes_every_record(
    start_worker: StartWorker, kept: Kept, monkeypatch: Monkey
) -> None:
    make = logging.Logger.makeRecord

    def traced(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        record.trace_id = "42"
        return record

    monkeypatch.setattr(logging.Logger, "makeRecord", traced)
    kept.setFormatter(logging.Formatter("%(trace_id)s %(message)s"))
    await start_worker(tasks=[fine])

    result = await fine.delay()
    await result.get(timeout=5)

    assert [line[:2] for line in kept.lines if result.id in line] == ["42", "42"]


def record_of_a_line() -> dict[str, Any]:
    kept = Kept()
    logger = logging.getLogger("arq.worker.jobs")
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    try:
        job_log.ended(ClaimedJob("1", "q", b""), CallData("t"), Outcome(SUCCESS), 0.0, True)
        logger.info("%s", "x")
    finally:
        logger.removeHandler(kept)
        logger.setLevel(logging.NOTSET)
    quick, ordinary = kept.records
    assert 0 <= ordinary.relativeCreated - quick.relativeCreated < 1_000
    names = ("process", "processName", "thread", "threadName")
    assert [vars(quick)[name] for name in names] == [vars(ordinary)[name] for name in names]
    return vars(quick)


def test_a_record_is_of_the_process_and_the_thread_that_wrote_it() -> None:
    found = [record_of_a_line()]
    thread = threading.Thread(target=lambda: found.append(record_of_a_line()), name="of a worker")
    thread.start()
    thread.join()

    assert [record["threadName"] for record in found] == ["MainThread", "of a worker"]
    child = multiprocessing.get_context("fork").Process(
        target=lambda: sys.exit(record_of_a_line()["process"] != os.getpid())
    )
    child.start()
    child.join()
    assert child.exitcode == 0


BOTH = {"of the worker": 1, "of shop": 1, "warns": 1}
WORKER_ALONE = BOTH | {"of shop": 0}
SHOWN = {
    "nothing": BOTH,
    "logging.info() at import": BOTH,
    "NullHandler on arq": BOTH,
    "NullHandler on the root": BOTH,
    "root handler": BOTH,
    "root handler, WARNING": WORKER_ALONE,
    "root handler, ERROR": {"of the worker": 0, "of shop": 0, "warns": 0},
    "root handler, no propagation": BOTH,
    "no propagation": BOTH,
    "an exporter": WORKER_ALONE,
    "a handler on arq": WORKER_ALONE,
    "a handler on shop": BOTH | {"of shop": 2},
    "level of arq.worker.jobs": BOTH | {"of the worker": 0},
    "level of arq.worker": BOTH | {"of the worker": 0},
    "level of arq": BOTH | {"of the worker": 0},
}
"""How often each line is written under plain `arq`, which docs/logging.md says in its table."""


def test_plain_arq_shows_lines_once_however_the_application_has_configured_logging() -> None:
    asked = [sys.executable, "-m", "tests.jobs.worker.log_ways"]
    written = json.loads(subprocess.run(asked, cwd=ROOT, capture_output=True, check=True, timeout=30).stdout)

    shown = {way: {line: text.count(line) for line in BOTH} for way, text in written.items()}
    assert shown == SHOWN

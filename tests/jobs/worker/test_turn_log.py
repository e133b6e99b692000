"""Our own handler writes the lines about jobs of one turn at once, and nobody else's lines or records are missed."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from select import PIPE_BUF
from typing import Any

import pytest
from _pytest.logging import LogCaptureHandler

from jobs import JsonLines, task
from jobs.worker.execution import job_log
from tests.jobs.worker.conftest import ROOT, StartWorker
from tests.waiting import wait_until

log = logging.getLogger("shop")
LOGGER = logging.getLogger("arq.worker.jobs")


class Written(io.StringIO):
    """What stands on the descriptor, and each write of it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)

    def of(self, *ids: str) -> list[str]:
        """The lines about these jobs, without their times."""
        return [line for line in self.getvalue().splitlines() if any(one in line for one in ids)]

    def begin(self) -> job_log.TurnHandler:
        """From now on our handler is the only one, as in a worker that plain `arq` has started: it writes here."""
        root, seen.stream = logging.getLogger(), self
        handler = job_log.TurnHandler()
        handler.stream = self
        self.others = [one for one in root.handlers if not isinstance(one, LogCaptureHandler)]
        root.handlers[:] = [handler]
        for logger in (root, LOGGER):
            logger.setLevel(logging.INFO)
        return handler


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    root, filters, written = logging.getLogger(), [*LOGGER.filters], Written()
    levels = root.level, LOGGER.level
    monkeypatch.setattr(job_log, "_made", [])
    yield written
    logging.disable(logging.NOTSET)
    root.handlers = [*written.others, *(one for one in root.handlers if isinstance(one, LogCaptureHandler))]
    root.setLevel(levels[0])
    LOGGER.setLevel(levels[1])
    LOGGER.filters, LOGGER.handlers = filters, []


class Seen:
    stream: Written


seen = Seen()


@task(name="turn_log.look")
async def look() -> str:
    return seen.stream.getvalue()


@task(name="turn_log.say")
async def say(word: str) -> str:
    log.info("%s says", word)
    return seen.stream.getvalue()


@task(name="turn_log.shout")
def shout(word: str) -> str:
    log.info("%s shouts", word)
    return seen.stream.getvalue()


@task(name="turn_log.change")
async def change(way: str) -> None:
    WAYS[way][0]()


async def test_start_lines_of_a_block_and_end_lines_of_a_turn_are_one_write_each(
    start_worker: StartWorker, written: Written
) -> None:
    handler = written.begin()
    results = await look.apply_many([()] * 4)
    await start_worker(tasks=[look])
    assert job_log.only_reader() is handler  # no records are made

    texts = [await result.get(timeout=5) for result in results]

    starts = [f"→ {result.id}:turn_log.look()\n" for result in results]
    assert all(start in text for start in starts for text in texts)
    assert not any("←" in text for text in texts)
    await wait_until(lambda: written.getvalue().count("←") == 4, "the end lines")
    assert [(text.count("→"), text.count("←")) for text in written.writes if {"→", "←"} & set(text)] == [(4, 0), (0, 4)]
    assert all(re.match(r"\d\d:\d\d:\d\d: ", line) for line in written.getvalue().splitlines())


async def test_other_lines_come_at_once_behind_those_before_them(start_worker: StartWorker, written: Written) -> None:
    written.begin()
    first, second = await say.apply_many([("first",), ("second",)])
    third = await shout.delay("third")
    await start_worker(tasks=[say, shout])

    texts = [await result.get(timeout=5) for result in (first, second, third)]

    assert [text.splitlines()[-1].split(": ", 1)[1] for text in texts[:2]] == ["first says", "second says"]
    assert "third shouts" in texts[2]
    await wait_until(lambda: written.getvalue().count("←") == 3, "the end lines")
    lines = written.getvalue()
    for result, said in ((first, "first says"), (second, "second says"), (third, "third shouts")):
        assert lines.index(f"→ {result.id}") < lines.index(said) < lines.index(f"← {result.id}")
    assert lines.index(f"← {first.id}") < lines.index("second says")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


kept = Kept()


def ours() -> logging.Handler:
    return logging.getLogger().handlers[0]


def traced(*args: Any, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **more)
    record.msg = f"TRACED {record.msg}"
    return record


def add_to_calls() -> None:
    call = logging.Logger.callHandlers

    def noted(self: logging.Logger, record: logging.LogRecord) -> None:
        kept.handle(record)
        call(self, record)

    monkey.setattr(logging.Logger, "callHandlers", noted)


monkey = pytest.MonkeyPatch()
OWN = logging.Formatter("TRACED %(message)s")
PLAIN, TRACED, NOTHING, RECORDS = "plain", "traced", "nothing", "records too"
WAYS: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: None, PLAIN),
    "level of the handler": (lambda: ours().setLevel("WARNING"), NOTHING),
    "level of the logger": (lambda: LOGGER.setLevel("WARNING"), NOTHING),
    "filter of the handler": (lambda: ours().addFilter(lambda record: False), NOTHING),
    "filter of the logger": (lambda: LOGGER.addFilter(lambda record: False), NOTHING),
    "logging.disable": (lambda: logging.disable(logging.INFO), NOTHING),
    "formatter": (lambda: ours().setFormatter(OWN), TRACED),
    "record factory": (lambda: monkey.setattr(logging, "_logRecordFactory", traced), TRACED),
    "another handler on the root": (lambda: logging.getLogger().addHandler(kept), RECORDS),
    "another handler on the logger": (lambda: LOGGER.addHandler(kept), RECORDS),
    "callHandlers": (add_to_calls, RECORDS),
}
"""What a job changes, and what becomes of its own last line and of all that come later."""


@pytest.mark.parametrize("way", WAYS)
async def test_what_changes_while_it_runs_counts_from_the_next_line(
    start_worker: StartWorker, written: Written, way: str
) -> None:
    kept.kept.clear()
    await start_worker(tasks=[change, look])
    written.begin()
    try:
        changing = await change.delay(way)
        await changing.get(timeout=5)
        await (after := await look.delay()).get(timeout=5)
        await asyncio.sleep(0)
    finally:
        monkey.undo()

    lines = written.of(changing.id, after.id)[1:]
    assert len(lines) == (0 if WAYS[way][1] == NOTHING else 3)
    assert all(("TRACED" in line) == (WAYS[way][1] == TRACED) for line in lines)
    states = [
        vars(record).get("state") for record in kept.kept if vars(record).get("job_id") in (changing.id, after.id)
    ]
    assert states == (["SUCCESS", "STARTED", "SUCCESS"] if WAYS[way][1] == RECORDS else [])


async def test_json_lines_are_written_together_too(start_worker: StartWorker, written: Written) -> None:
    written.begin().setFormatter(JsonLines())
    results = await look.apply_many([()] * 4)
    await start_worker(tasks=[look])
    await asyncio.gather(*results)
    await wait_until(lambda: written.getvalue().count("SUCCESS") == 4, "the end lines")

    texts = [text for text in written.writes if '"state"' in text]
    assert [[json.loads(line)["state"] for line in text.splitlines()] for text in texts] == [
        ["STARTED"] * 4,
        ["SUCCESS"] * 4,
    ]


async def test_a_closed_stream_hurts_no_job(start_worker: StartWorker, written: Written) -> None:
    written.begin()
    written.close()
    await start_worker(tasks=[change])

    assert await (await change.delay("nothing")).get(timeout=5) is None


def test_no_line_is_lost_or_mixed_in_a_pipe_that_is_full(written: Written) -> None:
    handler = written.begin()
    reading, writing = os.pipe()
    lines = [f"{n}:{'早' * (n % 200)}" for n in range(2_000)]

    async def say(lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            handler.say(line)
            if number % 100 == 0:
                handler.flush()
        handler.flush()

    def write() -> None:
        with open(writing, "w", encoding="utf-8") as handler.stream:
            asyncio.run(say(lines))

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, encoding="utf-8") as pipe:
        assert [line.split(": ", 1)[1] for line in pipe.read().splitlines()] == lines
    thread.join()

    handler.stream = written
    asyncio.run(say(["a" * (PIPE_BUF // 4)] * 9))
    assert 3 <= len(written.writes) < 9
    assert max(map(len, written.writes)) <= PIPE_BUF


ENDS = {"returns": "", "sys.exit": "sys.exit(3)", "raises": "1 / 0", "end_process": "process.end_process(1)"}
PROGRAM = """
import asyncio, multiprocessing, sys
from jobs.worker import log_setup, process
from jobs.worker.execution import job_log
from jobs.worker.execution.claimed_job import SUCCESS, CallData, ClaimedJob, Outcome

async def main():
    job_log.ended(ClaimedJob("1", "q", b""), CallData("t"), Outcome(SUCCESS), 0.0, True)
    child = multiprocessing.get_context("fork").Process(target=job_log.logger.warning, args=("in a child",))
    child.start()
    child.join()
    {end}

log_setup.log_config(False)
log_setup.keep_in_logging()
asyncio.run(main())
"""


def test_no_line_is_lost_or_written_twice_however_the_process_ends() -> None:
    running = {
        way: subprocess.Popen([sys.executable, "-c", PROGRAM.format(end=end)], cwd=ROOT, stderr=subprocess.PIPE)
        for way, end in ENDS.items()
    }
    texts = {way: process.communicate(timeout=30)[1].decode() for way, process in running.items()}

    assert {way: (text.count("← 1:t ●"), text.count("in a child")) for way, text in texts.items()} == dict.fromkeys(
        ENDS, (1, 1)
    )

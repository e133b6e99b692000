"""What a worker process writes: each line once, however the application logs, and a start line before any code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import Result
from jobs.client.connection import JobsRedis
from tests.jobs.worker import log_app
from tests.jobs.worker.conftest import ROOT, WorkerProcess

ARQ = str(Path(sys.executable).parent / "arq")
SAID = [
    *["charge says"] * 2, "count says", *["ship says"] * 2, "inner says", "outer's own task says", "outer says",
    *["a hook says"] * 6,
]  # fmt: skip
ENDED = ["charge", "count", "ship", "outer"]


async def lines_of(redis_url: str, *flags: str, **environ: str) -> list[str]:
    """What a worker of `log_app` writes about a call of each, until all have ended."""
    calls = [log_app.charge.delay("hunter2"), log_app.count.delay(), log_app.outer.delay()]
    await asyncio.gather(*calls)
    return await lines_of_a_worker(redis_url, *flags, **environ)


async def lines_of_a_worker(redis_url: str, *flags: str, **environ: str) -> list[str]:
    arq = await asyncio.create_subprocess_exec(
        *(ARQ, "tests.jobs.worker.log_app.WorkerSettings", "--burst", *flags),
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": redis_url, **environ},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await arq.communicate()
    assert arq.returncode == 0, said.decode()
    before, _, after = said.decode().partition("imported\n")
    return [*before.splitlines(), *after.splitlines()]


@pytest.fixture(autouse=True)
async def ship(connection: JobsRedis) -> None:
    await connection.enqueue_job("ship", _job_id="ship-1")


WAYS: dict[str, dict[str, str]] = {
    "arq alone": {},
    "verbose": {"flags": "--verbose"},
    "a log dict": {"flags": "--custom-log-dict=tests.jobs.worker.log_app.KEPT"},
    "dictConfig at import": {"AT_IMPORT": "kept"},
    "dictConfig at start": {"AT_START": "kept"},
    "basicConfig at import": {"AT_IMPORT": "basicConfig"},
    "basicConfig at start": {"AT_START": "basicConfig"},
    "structlog": {"AT_IMPORT": "structlog"},
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_line_is_written_once(redis_url: str, way: str) -> None:
    environ = dict(WAYS[way])
    flags = environ.pop("flags", "")

    lines = await lines_of(redis_url, *filter(None, [flags]), **environ)

    text = "\n".join(lines)
    for said in set(SAID):
        assert text.count(said) == SAID.count(said), (said, text)
    for job in ENDED:
        assert len(re.findall(rf"→ \S+:(?:log_app\.)?{job}\(", text)) == (2 if job in ("charge", "ship") else 1), text
        assert len(re.findall(rf"← \S+:(?:log_app\.)?{job} ", text)) == 1, text
    assert text.count("Starting worker") == 1
    assert text.count("retrying job in 0.01s, OSError: the bank\\") == 1
    assert text.count("retrying job in 0.00s, ValueError: no van") == 1
    assert "hunter2" not in text


async def test_a_config_that_disables_loggers_does_not_silence_the_worker(redis_url: str) -> None:
    """And one that speaks of arq alone has its lines alone."""
    at_import = await lines_of(redis_url, AT_IMPORT="root")
    arq_alone = await lines_of(redis_url, AT_IMPORT="arq")

    for lines in (at_import, arq_alone):
        text = "\n".join(lines)
        assert [len(re.findall(rf"← \S+:log_app\.{job} ", text)) for job in ("charge", "count", "outer")] == [1, 1, 1]
        assert text.count("Starting worker") == 1
        assert {line.split()[0] for line in lines if line} == {"OWN"}


@pytest.mark.parametrize("way", [{"FORMAT": "json"}, {"AT_START": "json"}], ids=["log_format", "JsonLines"])
async def test_every_line_of_a_job_says_whose_it_is(redis_url: str, way: dict[str, str], redis: Redis) -> None:
    written = await lines_of(redis_url, **way)

    first = 0 if "FORMAT" in way else next(n for n, line in enumerate(written) if line.startswith("{"))
    lines: list[dict[str, Any]] = [json.loads(line) for line in written[first:]]
    said = [line for line in lines if line["logger"] == "shop"]
    assert sorted(line["message"] for line in said) == sorted(SAID)
    tasks = {"charge": "log_app.charge", "count": "log_app.count", "ship": "ship", "inner": "log_app.outer"}
    for line in said:
        task = line["task"]
        if line["message"] == "outer says":
            assert (task, line["order"]) == ("kept", 7)
        elif (word := line["message"].split()[0]) in tasks:
            assert task == tasks[word]
    states = {line["job_id"]: line["task"] for line in lines if line.get("state") == "STARTED"}
    assert {line["job_id"] for line in said} == states.keys()
    assert states.pop("ship-1") == "ship"
    assert len(states) == 3
    assert [line.get("job_id") for line in lines if "Starting worker" in line["message"]] in ([None], [])
    (retried,) = [line for line in lines if line.get("state") == "RETRY" and line["task"] == "log_app.charge"]
    assert "the bank" in retried["message"]


APART = {
    "arq alone": ({}, "00:00:00: apart says"),
    "its own format": ({"AT_IMPORT": "basicConfig"}, "OWN shop apart says"),
    "log_format": ({"FORMAT": "json"}, "JSON"),
    "log dict": ({"flags": "--custom-log-dict=tests.jobs.worker.log_app.AS_JSON"}, "JSON"),
}


@pytest.mark.parametrize("way", APART)
async def test_a_process_of_a_task_logs_as_its_worker_does(redis_url: str, way: str) -> None:
    environ, shown = APART[way]
    result = await log_app.apart.delay()

    lines = await lines_of_a_worker(redis_url, *filter(None, [environ.get("flags")]), **environ)

    (said,) = [line for line in lines if "apart says" in line]
    if shown == "JSON":
        line = json.loads(said)
        own = line["level"], line["logger"], line["job_id"], line["task"]
        assert own == ("INFO", "shop", result.id, "log_app.apart")
    else:
        assert re.sub(r"\d\d", "00", said) == shown


async def test_all_jobs_of_a_claim_have_their_start_line_when_the_first_kills_the_worker(
    connection: JobsRedis, redis_url: str, tmp_path: Path
) -> None:
    before = [await log_app.count.delay() for _ in range(2)]
    log = tmp_path / "worker.log"
    worker = WorkerProcess(redis_url, log, settings="tests.jobs.worker.log_app.WorkerSettings")
    try:
        for result in before:
            await result.get(timeout=20)
        results: list[Result] = await log_app.kill.apply_many([()] * 6)  # what the first claim after a pause takes
        assert await worker.wait_until_ended() == -9
    finally:
        worker.process.kill()
        worker.process.wait()

    lines = log.read_text()
    assert [result.id for result in results if f"→ {result.id}:log_app.kill()" not in lines] == []

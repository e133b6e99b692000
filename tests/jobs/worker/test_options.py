"""What a worker's options promise: limits that recycle it, hooks, mistakes refused at the start."""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import Any

import pytest

from jobs import worker_settings
from jobs.client.connection import JobsRedis
from jobs.errors import SettingsMistake
from jobs.tasks.masking import NOTHING
from jobs.worker.execution import job_log
from jobs.worker.execution.claimed_job import FAILURE, SUCCESS, CallData, ClaimedJob, Outcome
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_job": 5}, "no option 'max_job'; did you mean 'max_jobs'"),
        ({"queues": "mail"}, "give a list of names"),
        ({"log_format": "xml"}, "log_format='xml'"),
    ],
)
def test_a_mistake_is_refused_where_it_was_made(options: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsMistake, match=says):
        worker_settings(redis_url="redis://localhost", tasks=tasks.ALL, **options)


async def test_a_worker_ends_after_so_many_jobs(connection: JobsRedis, start_process: StartProcess) -> None:
    results = [await tasks.multiply.delay(n, n) for n in range(5)]
    worker = await start_process(OPTIONS=json.dumps({"max_jobs_total": 3}))

    assert await worker.wait_until_ended() == 0

    states = [await result.state() for result in results]
    assert sorted(states) == ["PENDING"] * 2 + ["SUCCESS"] * 3
    assert "max_jobs_total=3 jobs are done" in worker.text


async def test_a_worker_that_takes_too_much_memory_drains_and_ends(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    worker = await start_process(OPTIONS=json.dumps({"max_memory": 150}))
    running = await tasks.nap.delay(2.5)
    await (await tasks.hoard.delay(120)).get(timeout=5)

    await wait_until(lambda: "max_memory=150" in worker.text, "the worker to notice")
    left = await tasks.multiply.delay(2, 2)

    assert await worker.wait_until_ended() == 0
    assert await running.get(timeout=1) == "rested"
    assert await left.state() == "PENDING"


async def test_a_limit_that_leaves_room_for_no_job_is_refused(start_worker: StartWorker) -> None:
    worker = await start_worker(max_memory=1)

    assert worker.main_task is not None
    with pytest.raises(SettingsMistake, match="max_memory"):
        await worker.main_task


@pytest.mark.parametrize("hook", ["on_job_start", "on_job_end", "after_job_end"])
async def test_a_hook_that_fails_hurts_neither_job_nor_worker(
    start_worker: StartWorker, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    async def fails(ctx: dict[Any, Any]) -> None:
        raise ValueError(f"{hook} of {ctx['job_id']}")

    await start_worker(**{hook: fails})

    first = await tasks.multiply.delay(2, 2)
    assert await first.get(timeout=5) == 4
    await wait_until(lambda: f"{hook} of {first.id}" in caplog.text, "the hook's failure in the log")
    assert await (await tasks.multiply.delay(3, 3)).get(timeout=5) == 9


async def test_log_format_json_says_all_on_one_line_for_each_event(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    worker = await start_process(OPTIONS=json.dumps({"log_format": "json"}))
    good, bad = await tasks.log.delay("早上好\n"), await tasks.fail.delay("no\nluck")
    await good.get(timeout=5)
    await bad.get(timeout=5, propagate=False)
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.wait_until_ended() == 0

    lines = [json.loads(line) for line in worker.text.splitlines()]
    of_good = [line for line in lines if line.get("job_id") == good.id]
    assert [line["state"] for line in of_good] == ["STARTED", "SUCCESS"]
    assert {line["task"] for line in of_good} == {"tests.log"}
    assert 0 <= of_good[1]["run_s"] < 5
    assert "早上好" in worker.text
    [failed] = [line for line in lines if line.get("job_id") == bad.id and line["state"] == "FAILURE"]
    assert failed["level"] == "ERROR"
    assert "ValueError: no\nluck" in failed["exception"]


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("not now")


class Detailed(RuntimeError):
    def extra(self) -> dict[str, str]:
        return {"customer": "7"}


def test_lines_are_short_and_survive_any_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    job = ClaimedJob("id", "default", b"")
    call = CallData("tests.log", ("a" * 5000, Rude()), {"long": "b" * 5000})

    job_log.received(job, call, NOTHING)
    job_log.ended(job, call, Outcome(SUCCESS, "x" * 5000), 0.1, True)
    job_log.ended(job, call, Outcome(SUCCESS, Rude()), 0.1, True)
    job_log.ended(job, call, Outcome(SUCCESS, "secret"), 0.1, False)
    job_log.ended(job, call, Outcome(FAILURE, Detailed("oh")), 0.1, True)

    received, long, rude, hidden, failed = (record.getMessage() for record in caplog.records)
    assert received.endswith("…)")
    assert len(received.split("(", 1)[1]) == job_log.SHOWN_CHARS + 1
    assert len(long.split("● ")[1]) == job_log.SHOWN_CHARS
    assert "a Rude whose repr() raises RuntimeError" in rude
    assert "secret" not in hidden
    assert failed.endswith("failed, Detailed: oh")
    assert caplog.records[-1].__dict__["extra"] == {"customer": "7"}


async def test_a_worker_can_let_other_processes_go_first(start_process: StartProcess) -> None:
    worker = await start_process(OPTIONS=json.dumps({"nice": 7}))

    assert os.getpriority(os.PRIO_PROCESS, worker.process.pid) == 7 + os.getpriority(os.PRIO_PROCESS, 0)

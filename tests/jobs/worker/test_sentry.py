"""Sentry's own SDK, given nothing but `sentry_sdk.init()`: one event for each job that failed, none for others."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import chain, chord, group, send_task
from jobs.client.connection import JobsRedis
from tests.jobs.worker import sentry_app as s
from tests.jobs.worker.conftest import ROOT

ARQ = str(Path(sys.executable).parent / "arq")
Event = dict[str, Any]


async def events_of(folder: Path, redis_url: str, ends: int = 0, **environ: str) -> list[Event]:
    """The events of a worker that runs what is there until nothing is left, and *ends* with this code."""
    file = folder / "events"
    file.touch()
    arq = await asyncio.create_subprocess_exec(
        *(ARQ, "tests.jobs.worker.sentry_app.WorkerSettings", "--burst"),
        cwd=ROOT,
        env=os.environ | {"REDIS_URL": redis_url, "EVENTS": str(file), "OPTIONS": "", "AT": "import"} | environ,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await arq.communicate()
    assert arq.returncode == ends, said.decode()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in events if event.get("type") != "transaction"]


def error_of(event: Event) -> tuple[str, str]:
    last = event["exception"]["values"][-1]
    return event["tags"]["task"], f"{last['type']}: {last['value'].partition(chr(10))[0]}"


async def call_all(connection: JobsRedis) -> None:
    await asyncio.gather(
        s.fail.apply_async(("a task's", "hunter2"), task_id="fails"),
        *(
            one.delay(one.name)
            for one in (s.plain, s.process, s.process_captures, s.retried, s.captures, s.plain_captures)
        ),
        s.process_logs.delay("hunter2"),
        *(one.delay() for one in (s.dies, s.recovers, s.slow, s.revoked, s.unstorable, s.parent)),
        s.fine.delay(1),
        s.declared.delay("declared"),
        send_task("s.nobody", ("of the name",)),
        s.fine.apply_async((2,), link=s.note_fails.si()),
        chord([s.member.s(n) for n in range(100)], s.note.s()).apply_async(),
        group(s.fine.s(3), s.fine.s(4)).apply_async(),
        chain(s.fine.s(5), s.slow.s()).apply_async(),
    )
    await connection.enqueue_job("of_arq", "arq's", token="hunter2")
    await connection.enqueue_job("retried_of_arq", "arq's, after retries")
    await connection.enqueue_job("late_of_arq")


FAILURES = {
    ("s.fail", "ValueError: a task's"): 1,
    ("s.plain", "ValueError: s.plain"): 1,
    ("s.process", "ValueError: s.process"): 1,
    ("s.process_captures", "ValueError: s.process_captures"): 1,
    ("s.retried", "OSError: s.retried"): 1,
    ("s.captures", "ValueError: s.captures"): 1,
    ("s.plain_captures", "ValueError: s.plain_captures"): 1,
    ("s.declared", "KeyError: 'declared'"): 1,
    ("s.fail", "ValueError: a child's"): 1,
    ("s.parent", "ValueError: a child's"): 1,
    ("s.note_fails", "ValueError: a callback's own"): 1,
    ("s.member", "ValueError: member 42"): 1,
    ("of_arq", "ValueError: arq's"): 1,
    ("retried_of_arq", "ValueError: arq's, after retries"): 1,
}
BY_KIND = {
    ("s.dies", "WorkerLost"): 1,
    ("s.slow", "TimeLimitExceeded"): 1,
    ("s.unstorable", "EncodingError"): 1,
    ("s.nobody", "UnknownTask"): 1,
    ("late_of_arq", "TimeoutError"): 1,
    ("jobs.workflow", "TypeError"): 1,
}


@pytest.mark.parametrize("options", ["", "pii", "bare"])
async def test_each_job_that_failed_is_one_event(
    connection: JobsRedis, redis_url: str, tmp_path: Path, redis: Redis, options: str
) -> None:
    await call_all(connection)
    poison = await s.fine.delay(5)
    await redis.hset(f"jobs:job:{poison.id}", mapping={"state": "PENDING", "crashes": 3})

    events = await events_of(tmp_path, redis_url, OPTIONS=options, CRON="1")

    found = Counter(error_of(event) for event in events if "exception" in event)
    others = {error: n for error, n in found.items() if error not in FAILURES}
    kinds = {(task, error.split(":")[0]): n for (task, error), n in others.items()}
    assert {error: n for error, n in found.items() if error in FAILURES} == FAILURES
    assert kinds == {**BY_KIND, ("s.fine", "WorkerLost"): 1, ("cron_of_arq", "ValueError"): 1}
    lines = [event for event in events if "exception" not in event]
    of_logs = [] if options == "bare" else [("s.process_logs", "no failure, in its process")]
    assert [(event["tags"]["task"], event["logentry"]["message"]) for event in lines] == of_logs
    assert all(event["tags"]["job_id"] == event["contexts"]["job"]["job_id"] for event in events)
    (member,) = [event for event in events if event["tags"]["task"] == "s.member"]
    assert member["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "member"
    assert "hunter2" not in json.dumps(events)


async def test_an_event_says_which_job_and_nothing_of_another(
    connection: JobsRedis, redis_url: str, tmp_path: Path
) -> None:
    """Also where a hook at the worker's start initialises Sentry."""
    for text in ("one", "two"):
        await s.fine.delay(1)
        await s.fail.apply_async((text, "hunter2"), task_id=text)

    await connection.enqueue_job("of_arq", "of arq", _job_id="arq")
    await s.retried.apply_async(("three",), task_id="three")

    events = {event["tags"]["job_id"]: event for event in await events_of(tmp_path, redis_url, AT="start")}

    assert events.keys() == {"one", "two", "three", "arq"}
    assert [error_of(events[job_id]) for job_id in ("three", "arq")] == [
        ("s.retried", "OSError: three"),
        ("of_arq", "ValueError: of arq"),
    ]
    for job_id in ("one", "two"):
        event = events[job_id]
        assert event["tags"] == {"task": "s.fail", "job_id": job_id, "attempt": 1, "queue": "default"}
        assert event["transaction"] == "s.fail"
        job = event["contexts"]["job"]
        assert job["arguments"] == f"'{job_id}', password='***'"
        crumbs = [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
        assert f"about to fail with {job_id}" in crumbs
        assert "all is fine" not in crumbs
        (error,) = event["exception"]["values"]
        assert error["mechanism"] == {"type": "quarq", "handled": False}
        assert error["stacktrace"]["frames"][-1]["function"] == "fail"
        assert error["stacktrace"]["frames"][-1]["vars"]["text"] == f"'{job_id}'"


async def test_no_variable_of_a_stack_shows_a_secret(connection: JobsRedis, redis_url: str, tmp_path: Path) -> None:
    """Neither by its own name, nor inside another value, nor as a copy, nor in our frames; also of a mere log line."""
    for one in s.keeps, s.process_keeps:
        for failing in True, False:
            await one.apply_async(({"password": "hunter2", "id": 5}, "swordfish"), {"failing": failing})

    events = await events_of(tmp_path, redis_url, OPTIONS="stacks")

    assert Counter("exception" in event for event in events) == {True: 2, False: 4}
    for event in events:
        stack = (event["exception"] if "exception" in event else event["threads"])["values"][-1]["stacktrace"]
        ours = [frame for frame in stack["frames"] if frame["module"].startswith(("jobs.", "arq", "pebble"))]
        assert not any("vars" in frame for frame in ours)
        assert not any(secret in json.dumps(event) for secret in ("hunter2", "swordfish", "4711"))
        of_code = [frame["vars"] for frame in stack["frames"] if frame["function"] == "_says"]
        if "exception" in event and event["tags"]["task"] == "s.process_keeps":
            assert of_code == []  # it was in another process
            continue
        (shown,) = of_code
        assert (shown["order"], shown["pair"]) == ("7", ["[Filtered]", "'shown'"])
        assert shown["copied"] == {"deep": [{"password": "[Filtered]"}], "plain": "'shown'"}
        assert shown["card"] == shown["text"] == "[Filtered]"


async def test_the_normal_end_of_a_worker_sends_what_is_left(
    connection: JobsRedis, redis_url: str, tmp_path: Path
) -> None:
    """Without the integration of Sentry that does so; `process=True` too."""
    for n in range(10):
        await s.fail.delay(str(n))
    await s.process_captures.delay("in its process")

    events = await events_of(tmp_path, redis_url, OPTIONS="alone")

    assert len(events) == 11


async def test_what_the_application_ignores_is_ignored(connection: JobsRedis, redis_url: str, tmp_path: Path) -> None:
    """Also where Sentry is initialised after the worker's settings were made."""
    await s.declared.delay("ignored")
    await s.fail.delay("dropped")
    await connection.enqueue_job("of_arq", "dropped, too")
    await s.fail.delay("kept")
    await s.retried.delay("kept")
    await connection.enqueue_job("of_arq", "kept")

    events = await events_of(tmp_path, redis_url, OPTIONS="choosy", AT="end")

    kept = [("of_arq", "ValueError: kept"), ("s.fail", "ValueError: kept"), ("s.retried", "OSError: kept")]
    assert sorted(map(error_of, events)) == kept


async def test_a_worker_that_gives_itself_up_says_so(connection: JobsRedis, redis_url: str, tmp_path: Path) -> None:
    await s.blocks.delay()

    (blocked,) = await events_of(tmp_path, redis_url, ends=1, LOOP_STUCK="1")

    assert blocked["level"] == "fatal"
    assert blocked["logentry"]["message"].startswith("the event loop was blocked")
    assert "in blocks" in blocked["logentry"]["formatted"]


async def test_nothing_is_imported_for_an_application_without_sentry(redis_url: str) -> None:
    code = """if True:
        import sys, asyncio
        from arq.worker import create_worker
        from tests.jobs.worker.sentry_app import WorkerSettings
        worker = create_worker(WorkerSettings, burst=True)
        worker.run()
        print([name for name in sys.modules if "sentry" in name and "sentry_app" not in name])
    """
    ended = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        cwd=ROOT,
        env=os.environ | {"REDIS_URL": redis_url, "SENTRY": "never"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await ended.communicate()

    assert (said.decode().strip(), ended.returncode) == ("[]", 0), errors.decode()

"""`call`, `purge`, `control` and `retry`: text, JSON, exit code, and what they change."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import Limit, Result, UnknownTask, WrongValue, crontab, group, limits, monitor, schedules
from jobs.client.connection import JobsRedis
from jobs.monitor import audit
from jobs.store.keys import NO_PREFIX, Keys
from jobs.tasks.declarations import KnownTask
from tests.jobs.commands.conftest import Cli, StartOnline
from tests.jobs.worker import tasks
from tests.waiting import wait_until

APP = "tests.jobs.worker.tasks.WorkerSettings"


async def _until(result: Result, *states: str) -> None:
    async def reached() -> bool:
        return await result.state() in states

    await wait_until(reached, f"{result} to be {states}")


async def test_call(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()

    text = await cli("call", "tests.multiply", "-a", "[4]", "-k", '{"y": 5}')
    data = await cli("call", "tests.log", "--args", '["提醒"]', "--json")

    assert text.code == data.code == 0
    assert await Result(text.out.strip()).get(timeout=10) == 20
    assert await Result(data.json["id"]).get(timeout=10) == "提醒"


async def test_a_call_that_becomes_a_job_says_so(cli: Cli, connection: JobsRedis) -> None:
    call = ("call", "tests.unique", "--args", '["runs.txt", 7]')
    first, second, data = await cli(*call), await cli(*call), await cli(*call, "--json")

    job_id = first.out.strip()
    assert second.out.splitlines() == [job_id, "This job was there: the call became it, as its task is unique."]
    assert data.json == {"id": job_id, "existing": True, "replaced": False}


async def test_call_later_and_elsewhere(cli: Cli, connection: JobsRedis) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)

    by_countdown = await cli("call", "tests.log", "-a", "[1]", "--countdown", "60", "--queue", "mail")
    by_eta = await cli("call", "tests.log", "-a", "[1]", "--eta", eta.isoformat())

    first, second = await Result(by_countdown.out.strip()).info(), await Result(by_eta.out.strip()).info()
    assert first.queue == "mail"
    assert first.due - first.enqueued == timedelta(seconds=60)
    assert abs(second.due - eta) < timedelta(milliseconds=2)


async def test_call_of_a_task_that_nobody_knows_says_so(cli: Cli, connection: JobsRedis) -> None:
    answer = await cli("call", "tests.nobody", "--queue", "mial")
    limited = await cli("control", "rate_limit", "tests.nobody", "5/m")
    paused = await cli("control", "pause", "mial", "nowhere")

    assert answer.code == limited.code == paused.code == 0
    assert "no task or worker here knows 'tests.nobody'; the job waits" in answer.err
    assert "no worker here serves 'mial', and nothing waits there" in answer.err
    assert "no task or worker here knows 'tests.nobody'; the rate waits" in limited.err
    assert paused.err == "Warning: no worker here serves 'nowhere', and nothing waits there.\n"
    assert await Result(answer.out.strip()).state() == "PENDING"


async def test_retry_of_a_single_job(
    cli: Cli, connection: JobsRedis, start_online: StartOnline, tmp_path: Path
) -> None:
    await start_online()
    file = tmp_path / "late.txt"
    result = await tasks.read.apply_async((str(file),))
    await _until(result, "FAILURE")
    file.write_text("now it is there")

    text = await cli("retry", result.id)
    again = await cli("retry", result.id, "--json")

    assert (text.code, text.out) == (0, f"{result.id}~2\n")
    assert again.json == {"id": f"{result.id}~2", "retry_of": result.id}
    assert await Result(f"{result.id}~2").get(timeout=10) == "now it is there"
    assert await result.state() == "FAILURE"


async def test_a_job_runs_again_with_another_argument(
    cli: Cli, connection: JobsRedis, start_online: StartOnline
) -> None:
    """In any state; what is not given stays as it is, by position or by name."""
    await start_online()
    result = await tasks.multiply.delay(6, y=7)
    assert await result.get(timeout=10) == 42

    said = await cli("retry", result.id, "--set", "x=5", "--set", "y=-1")
    again = await cli("retry", result.id, "--set", "y=2", "--json")

    assert (said.code, said.out) == (0, f"{result.id}~2\n")
    assert again.json == {"id": f"{result.id}~3", "retry_of": result.id}
    values = [await Result(f"{result.id}~{n}").get(timeout=10) for n in (2, 3)]
    assert values == [-5, 12]
    assert [row.what for row in (await monitor.audit(connection)).rows] == ["edit and run again"] * 2
    for wrong, words in WRONG_CHANGES.items():
        said = await cli("retry", *([] if wrong == "z=" else [result.id]), "--set", wrong)
        assert (said.code, words in said.err) == (64, True), said
    assert (await cli("retry", "nobody", "--set", "x=1")).code == 1


WRONG_CHANGES = {
    "x": "write the name of an argument and its JSON: amount=12",
    "=5": "write the name of an argument and its JSON: amount=12",
    "x=five": "x: no JSON at line 1",
    "z=5": "z: tests.multiply has no parameter of this name",
    "x=": "x: tests.multiply needs it",
    "z=": "give the ID of a job, or --where without --set",
}


async def test_a_hundred_retries_at_once_are_one(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.fail.delay()
    await _until(result, "FAILURE")
    await connection.sadd(Keys.PAUSED, "default")

    ids = await asyncio.gather(*(monitor.retry(connection, result.id) for _ in range(100)))

    assert set(ids) == {f"{result.id}~2"}
    assert await connection.zcard(Keys.QUEUE) == 1
    await monitor.resume(connection, "default")
    await _until(Result(ids[0]), "FAILURE")
    assert await monitor.retry(connection, result.id) == f"{result.id}~3"
    await _until(Result(f"{result.id}~3"), "FAILURE")
    assert await monitor.retry(connection, f"{result.id}~3") == f"{result.id}~4"


async def test_retry_of_a_workflow(cli: Cli, connection: JobsRedis, start_online: StartOnline, tmp_path: Path) -> None:
    await start_online()
    file = tmp_path / "late.txt"
    flow = await group(tasks.log.s("kept"), tasks.read.s(str(file))).delay()
    await _until(flow, "FAILURE")
    file.write_text("now")
    member = await cli("retry", f"{flow.id}:1")

    answer = await cli("retry", flow.id)

    assert member.code == 1
    assert f"member of workflow {flow.id}" in member.err
    assert (answer.code, answer.out) == (0, f"{flow.id}\n")
    assert await flow.get(timeout=10) == ["kept", "now"]


async def test_nothing_else_is_retried(cli: Cli, connection: JobsRedis) -> None:
    waiting = await tasks.log.delay("x")

    for job_id, said in ((waiting.id, "is PENDING"), ("nobody", "is UNKNOWN")):
        answer = await cli("retry", job_id)
        assert answer.code == 1
        assert said in answer.err


@pytest.fixture
async def mixed(connection: JobsRedis, start_online: StartOnline) -> dict[str, Any]:
    """One of everything that a queue can hold: running, due, later, a retry, a workflow."""
    await start_online(MAX_JOBS="2")
    running = await tasks.nap.delay(1.5)
    retrying = await tasks.patient.delay()
    await _until(running, "STARTED")
    await _until(retrying, "RETRY")
    await connection.sadd(Keys.PAUSED, "default")
    return {
        "running": running,
        "retrying": retrying,
        "due": [await tasks.log.delay(n) for n in range(3)],
        "later": await tasks.log.apply_async(("later",), countdown=60),
        "workflow": await group(tasks.log.s(1), tasks.log.s(2)).delay(),
    }


async def test_purge_takes_due_jobs_alone(cli: Cli, mixed: dict[str, Any]) -> None:
    waiter = asyncio.ensure_future(mixed["due"][0].get(timeout=10, propagate=False))

    answer = await cli("purge", "-f")

    assert answer.code == 0
    assert answer.out == "Purged 3 jobs.\n"
    assert answer.err.startswith("In default: 3 due jobs, 3 scheduled ")
    assert "stay without --scheduled" in answer.err
    assert [await result.state() for result in mixed["due"]] == ["REVOKED"] * 3
    assert type(await waiter).__name__ == "TaskRevoked"
    assert await mixed["retrying"].state() == "RETRY"
    assert await mixed["later"].state() == "PENDING"
    assert await mixed["workflow"].state() == "PENDING"
    assert await mixed["running"].get(timeout=10) == "rested"


async def test_purge_of_all_that_waits_leaves_what_runs(cli: Cli, mixed: dict[str, Any]) -> None:
    answer = await cli("purge", "-f", "--scheduled", "--json")

    assert {name: answer.json[name] for name in ("due", "scheduled", "purged")} == {
        "due": 3,
        "scheduled": 3,
        "purged": 6,
    }
    assert await mixed["retrying"].state() == "REVOKED"
    assert await mixed["later"].state() == "REVOKED"
    assert await mixed["workflow"].state() == "REVOKED"
    assert await mixed["running"].get(timeout=10) == "rested"


async def test_purge_asks(process: Cli, connection: JobsRedis) -> None:
    result = await tasks.log.delay("x")

    for typed in ("n\n", ""):
        refused = await process("-A", APP, "purge", typed=typed)
        assert refused.code == 1
        assert "1 due job, 0 scheduled" in refused.err
        assert "End 1 job? [y/N]" in refused.err
        assert await result.state() == "PENDING"

    agreed = await process("-A", APP, "purge", "--json", typed="y\n")
    assert agreed.code == 0
    assert agreed.json["purged"] == 1
    assert await result.state() == "REVOKED"


async def test_purge_of_one_queue(cli: Cli, connection: JobsRedis) -> None:
    here = await tasks.log.delay("x")
    mail = await tasks.log.apply_async(("x",), queue="mail")

    answer = await cli("purge", "-f", "-Q", "mail", "--json")

    assert (answer.json["purged"], answer.json["queues"]) == (1, ["mail"])
    assert await mail.state() == "REVOKED"
    assert await here.state() == "PENDING"


async def test_a_purged_member_ends_its_workflow(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    flow = await group(tasks.log.s(1).set(queue="elsewhere"), tasks.log.s(2)).delay()

    async def enqueued() -> bool:
        return bool(await connection.zcard(NO_PREFIX.queue_key("elsewhere")))

    await wait_until(enqueued, "the member to wait")

    assert (await cli("purge", "-f", "-Q", "elsewhere", "--json")).json["purged"] == 0
    assert (await cli("purge", "-f", "--scheduled", "-Q", "elsewhere", "--json")).json["purged"] == 1
    assert type(await flow.get(timeout=10, propagate=False)).__name__ == "TaskRevoked"


async def test_a_purge_while_workers_run_takes_none_of_what_they_run(
    cli: Cli, connection: JobsRedis, start_online: StartOnline
) -> None:
    await asyncio.gather(start_online(), start_online())
    results = await tasks.nap.apply_many([(0.01,)] * 2000)

    answer = await cli("purge", "-f", "--json")

    ends = [await result.get(timeout=20, propagate=False) for result in results]
    purged = sum(type(end).__name__ == "TaskRevoked" for end in ends)
    assert purged == answer.json["purged"]
    assert sum(end == "rested" for end in ends) == 2000 - purged


async def test_control_revoke(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    waiting = await tasks.log.apply_async(("x",), countdown=60)
    running = await tasks.nap.delay(30)
    await _until(running, "STARTED")

    text = await cli("control", "revoke", waiting.id, "nobody")
    data = await cli("control", "revoke", running.id, "--terminate", "--json")
    late = await cli("control", "revoke", waiting.id)

    assert text.lines == [f"{waiting.id}: revoked", "nobody: UNKNOWN"]
    assert text.code == data.code == 0
    assert data.json == {running.id: "STARTED"}
    await _until(running, "REVOKED")
    assert (late.code, late.out) == (1, f"{waiting.id}: had ended: REVOKED\n")


async def test_control_rate_limit(cli: Cli, connection: JobsRedis) -> None:
    text = await cli("control", "rate_limit", "tests.log", "10/m")
    assert (text.code, text.out, text.err) == (0, "tests.log: 10/m\n", "")
    assert await connection.hget(Keys.LIMITS, "tests.log|override") == b"10 60000"

    data = await cli("control", "rate_limit", "tests.log", "none", "--json")
    assert data.json == {"task": "tests.log", "rate_limit": "none"}
    assert await connection.hget(Keys.LIMITS, "tests.log|override") == b""


async def test_control_pause_and_resume(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online(OPTIONS='{"poll_delay": 30}')
    paused = await cli("control", "pause", "default", "mail")
    result = await tasks.log.delay("x")
    seen = await cli("control", "pause", "default", "--json")

    assert paused.lines == ["default: paused", "mail: paused"]
    assert seen.json == {"default": False}
    assert await result.state() == "PENDING"

    resumed = await cli("control", "resume", "default", "mail", "--json")
    assert resumed.json == {"default": True, "mail": True}
    assert await result.get(timeout=5) == "x"  # woken: its poll is half a minute away
    again = await cli("control", "resume", "default")
    assert (again.code, again.out) == (0, "default: was not paused\n")


async def test_control_quiet_and_shutdown(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    worker = await start_online()
    [name] = (await cli("inspect", "ping", "--json")).json

    quiet = await cli("control", "quiet", "-d", name, "--json")
    assert (quiet.code, quiet.json) == (0, {name: True})

    async def is_quiet() -> bool:
        return (await cli("status")).lines[0] == f"{name}: OK (quiet)"

    await wait_until(is_quiet, "the worker to say that it is quiet")

    shutdown = await cli("control", "shutdown")
    assert (shutdown.code, shutdown.out) == (0, f"{name}: OK\n")
    assert await worker.wait_until_ended() == 0
    assert (await cli("status")).code == 69


async def test_the_audit_has_the_person(cli: Cli, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    here = socket.gethostname()
    monkeypatch.setattr(os, "getlogin", functools.partial(os.ttyname, -1))  # raises: there is no terminal
    monkeypatch.setenv("LOGNAME", "ann")
    await cli("control", "pause", "a")
    monkeypatch.setattr(os, "getlogin", lambda: "ben")
    await cli("control", "pause", "b")
    monkeypatch.setenv("JOBS_ACTOR", "Carla")
    await cli("control", "pause", "c")
    await cli("--as", "Dora", "control", "pause", "d")

    assert [row.who for row in (await audit(connection)).rows[::-1]] == [
        f"ann@{here} (command line)", f"ben@{here} (command line)",
        f"Carla (command line of ben@{here})", f"Dora (command line of ben@{here})",
    ]  # fmt: skip


async def test_each_action_leaves_a_line_in_the_audit(
    cli: Cli, connection: JobsRedis, start_online: StartOnline
) -> None:
    await start_online()
    [name] = (await cli("inspect", "ping", "--json")).json
    failed, waiting = await tasks.fail.delay(), await tasks.log.apply_async((1,), countdown=60)
    await _until(failed, "FAILURE")
    for words in (
        ["retry", failed.id],
        ["control", "revoke", waiting.id, "nobody"],
        ["control", "rate_limit", "tests.log", "10/m"],
        ["control", "pause", "mail", "other"],
        ["control", "resume", "mail"],
        ["purge", "-f", "-Q", "mail"],
        ["control", "quiet"],
        ["control", "shutdown"],
    ):
        assert (await cli(*words)).code == 0

    rows = (await audit(connection)).rows[::-1]

    [who] = {row.who for row in rows}
    assert who.endswith(f"@{socket.gethostname()} (command line)")
    assert [(row.what, row.target, row.result) for row in rows] == [
        ("retry", failed.id, f"runs as {failed.id}~2"),
        ("revoke", waiting.id, "revoked"),
        ("revoke", "nobody", "UNKNOWN"),
        ("change rate limit", "tests.log", "10/m"),
        ("pause queue", "mail", "paused"),
        ("pause queue", "other", "paused"),
        ("resume queue", "mail", "resumed"),
        ("purge", "mail", "0 jobs ended"),
        ("quiet worker", name, "OK"),
        ("stop worker", name, "OK"),
    ]


async def test_a_stored_schedule_is_paused_run_backfilled_and_deleted(
    cli: Cli, process: Cli, connection: JobsRedis
) -> None:
    await schedules.put("report:42", tasks.log.s("x"), crontab("0 8 * * 1-5"))
    await schedules.put("report:43", tasks.log.s("x"), crontab("0 8 * * 1-5"))
    assert (
        (await cli("schedules", "list", ":42")).lines[0].startswith("report:42  tests.log  weekdays at 08:00 (UTC)  ")
    )
    assert "1 schedule. 1 more: give a text of their names" in (await cli("schedules", "-n", "1")).out

    assert (await cli("schedules", "pause", "report:42")).lines == ["report:42: paused"]
    assert (await cli("schedules", "list", ":42")).lines[0].endswith("  paused")
    assert (await cli("schedules", "resume", "report:42")).lines == ["report:42: resumed"]
    ran = await cli("schedules", "run", "report:42")
    assert await Result(ran.lines[0]).state() == "PENDING"
    span = ("--since", "2026-03-02T00:00Z", "--until", "2026-03-07T00:00Z")
    asked = await process("schedules", "backfill", "report:42", *span, typed="n\n")
    assert (asked.code, "5 moments" in asked.err) == (1, True)
    made = (await cli("schedules", "backfill", "report:42", *span, "-f", "--json")).json["ids"]
    assert len(made) == 5
    why = (await cli("why", made[0])).lines[-1]
    assert why.endswith("'report:42' has called it, for 2026-03-02 08:00:00 UTC")

    assert (await process("schedules", "delete", "report:42", typed="n\n")).code == 1
    assert (await cli("schedules", "delete", "report:42", "-f")).lines == ["report:42: deleted"]
    assert (await cli("schedules", "run", "report:42")).code == 1
    for wrong in (["pause"], ["backfill", "report:43"], ["run", "report:43", *span]):
        assert (await cli("schedules", *wrong)).code == 64
    assert [info.name for info in await schedules.list()] == ["report:43"]
    noted = [(entry.what, entry.result) for entry in (await audit(connection)).rows]
    assert ("backfill schedule", "5 jobs") in noted
    assert ("delete schedule", "deleted") in noted


async def test_each_action_on_a_schedule_that_is_not_there_says_so(cli: Cli, connection: JobsRedis) -> None:
    await schedules.put("report:42", tasks.log.s("x"), crontab("0 8 * * 1-5"))
    for action in (["pause"], ["resume"], ["run"], ["delete", "-f"], ["delete"]):
        said = await cli("schedules", action[0], "report:24", *action[1:])
        assert (said.code, said.out) == (1, "")
        assert "there is no schedule called 'report:24'; did you mean 'report:42'?" in said.err


async def test_a_schedule_is_put_and_put_again(cli: Cli, connection: JobsRedis) -> None:
    call = ("--task", "tests.log", "--args", '["x"]')
    put = await cli("schedules", "put", "report:42", *call, "--when", "0 8 * * 1-5", "--timezone", "Europe/Berlin")
    assert put.lines[0].startswith("report:42: put; it runs next at 20")
    assert (await schedules.get("report:42")).when == "0 8 * * 1-5 (m/h/dM/MY/d) Europe/Berlin"
    assert (await cli("schedules", "put", "report:42", *call, "--when", "every 0:00:30", "--json")).code == 0
    assert (await cli("schedules")).lines[0].startswith("report:42  tests.log  every 30 seconds  never run  next 20")
    ran = await schedules.run("report:42")
    assert (await monitor.call_of(connection, ran)).args == ["x"]  # type: ignore[union-attr]

    for words, why in (
        ([*call, "--when", "@daily"], "give five fields"),
        ([*call, "--when", "every 0:00:00.5"], "give five fields"),
        ([*call, "--when", "0 8 * * *", "--timezone", "Berlin"], "timezone='Berlin'"),
        (["--when", "0 8 * * *"], "put goes with --task and --when"),
        (call, "put goes with --task and --when"),
        (["--task", "tests.log", "--when", "0 8 * * *"], "missing a required argument: 'message'"),
    ):
        said = await cli("schedules", "put", "report:42", *words)
        assert (said.code, why in said.err) == (64, True), said
    odd = await cli("schedules", "put", "odd", "--task", "shop.nope", "--when", "0 8 * * *")
    assert (odd.code, "no task or worker here knows 'shop.nope'" in odd.err) == (0, True)
    assert "put goes with --task" in (await cli("schedules", "run", "odd", *call)).err
    rows = [(entry.what, entry.target, entry.result[:7]) for entry in (await audit(connection)).rows]
    assert rows.count(("put schedule", "report:42", "next 20")) == 2


async def test_limits(cli: Cli, connection: JobsRedis) -> None:
    await connection.declare_limits("tests.log", "10/s", Limit(2, per="tenant_id"))

    text = await cli("limits", "tests.log", "5", "--key", "tenant_id=7")
    assert (text.code, text.lines) == (0, ["tenant_id=7: 5 at a time, set here; 0 run, 0 wait"])
    await cli("limits", "tests.log", "1/m")
    await cli("limits", "tests.log", "pause", "-k", "tenant_id=a b")

    found = await cli("limits", "tests.log")
    assert found.lines == [
        "all jobs: 1/m, any number at a time, set here; 0 run, 0 wait",
        "tenant_id=7: 5 at a time, set here; 0 run, 0 wait",
        "tenant_id=a b: 2 at a time, PAUSED; 0 run, 0 wait",
    ]
    for words in (["resume", "-k", "tenant_id=a%20b"], ["declared", "-k", "tenant_id=7"], ["declared"]):
        await cli("limits", "tests.log", *words)
    assert (await cli("limits", "tests.log")).lines == ["all jobs: 10/s, any number at a time; 0 run, 0 wait"]
    assert [entry.what for entry in (await monitor.audit(connection)).rows] == ["change limit"] * 6


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["5", "-k", "tenant=7"], "has no limit per tenant; it has per tenant_id"),
        (["5", "-k", "tenant_id"], "give the parameters of a limit with their values: tenant_id=7"),
        (["often"], 'give a number (at a time), or a rate with its time: "10/s"'),
        (["0"], "most=0: give a whole number, from 1"),
        (["0/s"], "nothing would ever run"),
    ],
)
async def test_a_limit_that_cannot_be_is_refused(cli: Cli, connection: JobsRedis, words: list[str], why: str) -> None:
    await connection.declare_limits("tests.log", None, Limit(2, per="tenant_id"))

    said = await cli("limits", "tests.log", *words)

    assert said.code == 64
    assert why in said.err


async def test_a_limit_by_key_of_a_task_that_nobody_knows_is_refused_as_that(cli: Cli, connection: JobsRedis) -> None:
    for declare in (None, connection.hset(connection.key.TASKS, "shop.sync", KnownTask().packed())):
        near = "there are: none yet" if declare is None else "did you mean 'shop.sync'?"
        if declare is not None:
            await declare
        with pytest.raises(UnknownTask, match=rf"no worker has declared a task 'shop\.snc'; {re.escape(near)}"):
            await limits.set("shop.snc", 5, tenant_id=9)
    said = await cli("limits", "shop.snc", "5", "-k", "tenant_id=9")
    assert (said.code, "no worker has declared a task 'shop.snc'" in said.err) == (1, True)
    with pytest.raises(WrongValue, match=r"shop\.sync has no limit per tenant_id; it has none by key"):
        await limits.set("shop.sync", 5, tenant_id=9)

"""`status`, `inspect`, `result`, `workflows`: text, JSON and exit code, beside a real worker process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jobs import chord, crontab, every, group, monitor, task
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.tasks.declarations import known_tasks
from jobs.tasks.masking import Secrets
from tests.jobs.commands.conftest import Cli, StartOnline
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.registered_tasks import forget
from tests.waiting import wait_until


async def _state(result: Any, state: str) -> None:
    async def reached() -> bool:
        return bool(await result.state() == state)

    await wait_until(reached, f"{result} to be {state}")


async def test_an_argument_that_no_task_has_is_said(cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    said = await cli("jobs", "customer_id:4711", "task:tests.log")
    begin = "No task has an argument customer_id: there are "
    assert said.lines[0] == "0 jobs."
    assert said.lines[1].startswith(begin)
    assert said.lines[1].endswith(".customer_id:4711")
    [name, *_] = said.lines[1].removeprefix(begin).partition(".")[0].split(", ")
    assert (await cli("jobs", f"{name}:4711", "task:tests.log")).lines == ["0 jobs."]


async def test_status(cli: Cli, start_online: StartOnline) -> None:
    first = await start_online()
    one = await cli("status")
    await start_online()
    two = await cli("status", "--json")

    assert one.code == two.code == 0
    assert one.lines[0].endswith(": OK")
    assert one.lines[1] == "1 node online."
    assert [worker["queues"] for worker in two.json] == [["default"], ["default"]]
    first.process.kill()
    first.process.wait()

    async def gone() -> bool:
        return len((await cli("status", "--json")).json) == 1

    await wait_until(gone, "the killed worker to be missed")


async def test_inspect_workers(cli: Cli, start_online: StartOnline) -> None:
    await start_online(MAX_JOBS="7")
    await (await tasks.log.delay("x")).get(timeout=10)

    registered, ping, conf = [await cli("inspect", what, "--json") for what in ("registered", "ping", "conf")]
    [(name, known)] = registered.json.items()
    assert {"tests.multiply", "jobs.workflow"} <= set(known)
    assert ping.json == {name: "pong"}
    assert conf.json[name]["max_jobs"] == 7
    assert conf.json[name]["queues"] == ["default"]
    assert (await cli("inspect", "ping")).lines == [f"{name}: pong"]
    assert "  tests.multiply" in (await cli("inspect", "registered")).lines
    assert "  max_jobs: 7" in (await cli("inspect", "conf")).lines

    async def counted() -> bool:
        return bool((await cli("inspect", "stats", "--json")).json[name]["SUCCESS"] == 1)

    await wait_until(counted, "the worker to tell what it has done")
    assert "  SUCCESS: 1" in (await cli("inspect", "stats")).lines


async def test_inspect_active(cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.nap.delay(30)
    await _state(result, "STARTED")

    text, data = await cli("inspect", "active"), await cli("inspect", "active", "--json")
    [(worker, [job])] = data.json.items()

    assert text.lines[0] == f"{worker}: 1 job"
    assert f"{result.id}  tests.nap(30)  default  STARTED  since " in text.lines[1]
    assert (job["id"], job["task"], job["args"], job["attempts"]) == (result.id, "tests.nap", [30], 1)
    assert (await cli("inspect", "active", "-Q", "other", "--json")).json == {worker: []}


async def test_inspect_queued_shows_the_oldest_first(cli: Cli, connection: JobsRedis) -> None:
    first = await tasks.log.delay("first")
    second = await tasks.log.delay("second")
    await tasks.log.apply_async(("other",), queue="mail")
    later = await tasks.log.apply_async(("later",), countdown=60)

    text = await cli("inspect", "queued")
    data = (await cli("inspect", "queued", "--json", "-Q", "default")).json

    assert text.lines[0].startswith(f"{first.id}  tests.log('first')  default  PENDING  due since ")
    assert later.id not in text.out
    assert "('other')  mail  PENDING" in text.out  # though no worker and no task says that there is such a queue
    assert [job["id"] for job in data] == [first.id, second.id]
    assert all(job["age_s"] >= 0 for job in data)
    assert len((await cli("inspect", "queued", "-Q", "mail,default", "--json")).json) == 3
    limited = await cli("inspect", "queued", "-n", "1")
    assert limited.lines[-1] == "1 job, and more (-n 10)."


async def test_inspect_scheduled(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    running = await tasks.nap.delay(30)
    await _state(running, "STARTED")
    far = await tasks.log.apply_async(("far",), countdown=3600)
    near = await tasks.log.apply_async(("near",), countdown=60)

    text, data = await cli("inspect", "scheduled"), await cli("inspect", "scheduled", "--json")

    assert [job["id"] for job in data.json] == [near.id, far.id]
    assert " UTC" in text.lines[0]
    assert text.lines[-1] == "2 jobs."


async def test_inspect_reserved(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    await monitor.set_rate_limit(connection, "tests.log", "1/h")
    results = [await tasks.log.delay(n) for n in range(3)]

    async def held() -> Any:
        found = (await cli("inspect", "reserved", "--json")).json
        return found if len(found) == 2 else None

    jobs = await wait_until(held, "two jobs to be held back")
    assert {job["id"] for job in jobs} <= {result.id for result in results}
    assert (await cli("inspect", "scheduled", "--json")).json == []
    assert (await cli("inspect", "reserved")).lines[-1] == "2 jobs."


async def test_inspect_revoked(cli: Cli, connection: JobsRedis) -> None:
    results = [await tasks.log.apply_async((n,), countdown=60) for n in range(2)]
    for result in results:
        await result.revoke()

    text, data = await cli("inspect", "revoked"), await cli("inspect", "revoked", "--json")

    assert {job["id"] for job in data.json} == {result.id for result in results}
    assert all(job["task"] == "tests.log" for job in data.json)
    assert text.lines[-1] == "2 jobs."
    assert text.code == 0


async def test_result(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    pending = await tasks.log.apply_async(("x",), countdown=60)
    waiting = await cli("result", pending.id)
    assert (waiting.code, waiting.out) == (1, f"{pending.id}: PENDING\n")
    unknown = await cli("result", "nobody", "--json")
    assert (unknown.code, unknown.json["state"]) == (1, "UNKNOWN")
    await start_online()
    good = await tasks.log.delay({"text": "提醒"})

    text = await cli("result", good.id, "-t", "10")
    data = await cli("result", good.id, "--json")

    assert (text.code, text.out) == (0, "{'text': '提醒'}\n")
    assert data.json["result"] == {"text": "提醒"}
    assert data.json["args"] == [{"text": "提醒"}]
    assert "\\u" not in data.out


async def test_the_result_of_a_failure(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    bad = await tasks.flaky.delay(99)

    text = await cli("result", bad.id, "-t", "10")
    traced = await cli("result", bad.id, "--traceback")
    data = await cli("result", bad.id, "--traceback", "--json")

    assert text.code == traced.code == data.code == 1
    assert text.out == f"{bad.id}: FAILURE: KeyError: 'not yet'\n"
    assert [line.split()[1] for line in traced.lines if line.startswith("Attempt ")] == ["1", "2", "3"]
    assert "Traceback (most recent call last)" in traced.out
    assert data.json["error"] == "KeyError: 'not yet'"
    assert "not yet" in data.json["traceback"]


@pytest.fixture
def create_user() -> Iterator[Any]:
    @task(name="commands.create_user")
    async def create_user(name: str, password: str) -> None:
        raise ValueError("no")

    yield create_user
    forget(create_user.name)


async def test_secrets_are_in_no_output(
    cli: Cli, process: Cli, connection: JobsRedis, create_user: Any, redis_url: str, start_worker: StartWorker
) -> None:
    result = await create_user.apply_async(("John Doe", "hunter2"))

    assert "'John Doe', password='***'" in (await cli("inspect", "queued")).out
    assert (await cli("inspect", "queued", "--json")).json[0]["args"] == ["John Doe", "***"]

    await start_worker(tasks=[create_user], lease_renewal=0.2)
    await _state(result, "FAILURE")
    said = await cli("result", result.id, "--json")
    assert said.json["args"] == ["John Doe", "***"]
    for words in (["result", result.id, "--traceback"], ["why", result.id], ["inspect", "active"]):
        assert "hunter2" not in (await cli(*words)).out
    # a process that does not have the task's code hears from the worker which arguments are secret
    elsewhere = await process("--redis-url", redis_url, "result", result.id, "--json")
    assert elsewhere.json["args"] == ["John Doe", "***"]
    told = (await known_tasks(connection))["commands.create_user"]
    assert told.secrets == Secrets({1: "password"})


async def test_workflows(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    good = await chord(group(tasks.multiply.s(n, n) for n in range(30)), tasks.log.s()).delay()
    await good.get(timeout=10)
    bad = await chord([tasks.log.s(1), tasks.fail.s()], tasks.log.s()).delay()
    await _state(bad, "FAILURE")

    text, data = await cli("workflows"), await cli("workflows", "--json")
    assert [flow["id"] for flow in data.json] == [bad.id, good.id]
    assert text.lines[0].startswith(f"{bad.id}  FAILURE")
    assert text.lines[-1] == "2 workflows."
    assert text.lines[1].endswith("  chord of 30: tests.multiply → tests.log")
    few = await cli("workflows", "--state", "FAILURE", "--text", "tests.fail", "--longest", "--json")
    assert [flow["id"] for flow in few.json] == [bad.id]
    assert (await cli("workflows", "--state", "odd")).code == 64

    tree = await cli("workflows", bad.id)
    times = re.compile(r" at <?\d+ ms: waited <?\d+ ms, ran <?\d+ ms$")
    first, second = ("* ", "") if "* tests.log" in tree.out else ("", "* ")  # the one that ended last
    assert [times.sub(" <times>", line) for line in tree.lines] == [
        f"{bad.id}: FAILURE",
        "chord of 2: tests.log, tests.fail → tests.log",
        tree.lines[2],
        "chord FAILURE [-] <times>",
        "├─ group of 2 FAILURE [0] <times>",
        f"│  ├─ {first}tests.log SUCCESS [0.0] <times>",
        f"│  └─ {second}tests.fail FAILURE [0.1] <times>",
        "└─ tests.log SKIPPED [1]",
        "1 FAILURE, 1 SKIPPED, 1 SUCCESS.",
    ]
    said = r"\d+ ms: \d+ ms waiting( \(.*\))?, <?\d+ ms running; tests\.\w+ \d of 2 decided the end\."
    assert re.fullmatch(said, tree.lines[2])
    data = (await cli("workflows", bad.id, "--json")).json
    assert data["states"] == {"SUCCESS": 1, "FAILURE": 1, "SKIPPED": 1}
    assert sum(part["seconds"] for part in data["parts"]) == pytest.approx(data["seconds"], abs=1e-3)
    steps = {step["path"]: step for step in data["steps"]}
    assert list(steps) == ["", "0", "0.0", "0.1", "1"]
    assert [step["decided_the_end"] for step in steps.values()].count(True) == 1
    assert (steps["1"]["state"], steps["1"]["called"]) == ("SKIPPED", None)
    assert [run["outcome"] for run in steps["0.1"]["attempts"]] == ["FAILURE"]

    large = await cli("workflows", good.id)
    assert "├─ ... " not in large.out
    assert "... 10 more" in large.out
    assert large.lines[-1] == "31 SUCCESS."
    unknown = await cli("workflows", "nobody")
    assert unknown.code == 1
    assert "nobody has seen this id" in unknown.err


async def test_the_list_of_workflows_forgets_those_whose_record_is_gone(
    cli: Cli, connection: JobsRedis, start_online: StartOnline
) -> None:
    await start_online()
    flows = []
    for n in range(3):
        flows.append(await group(tasks.log.s(n)).delay())
        await flows[-1].get(timeout=10)
        await flows[-1].forget()

    assert await connection.zcard(Keys.WORKFLOWS) <= 2
    assert (await cli("workflows", "--json")).json == []


async def test_schedules(cli: Cli, start_worker: StartWorker) -> None:
    assert (await cli("schedules")).lines == ["0 schedules."]
    hourly = crontab("tests.log", name="hourly", args=("x",), minute=0)
    worker = await start_worker(cron_jobs=[every("tests.log", timedelta(days=1), name="daily", args=("x",)), hourly])

    async def declared() -> bool:
        return len((await cli("schedules", "--json")).json) == 2

    await wait_until(declared, "the worker to declare its schedules")
    text, data = await cli("schedules"), await cli("schedules", "--json")
    assert [schedule["name"] for schedule in data.json] == ["daily", "hourly"]
    assert data.json[1]["next_run"].endswith(":00:00+00:00")
    assert data.json[1]["task"] == "tests.log"
    assert text.lines[1].startswith("hourly  tests.log  every hour at minute 0  ")
    assert "never run  next 2" in text.lines[1]
    assert text.code == 0
    await monitor.pause_schedule(worker.pool, "hourly")
    assert (await cli("schedules")).lines[1].endswith("  paused")


async def test_jobs_finds_by_a_query(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    failed = []
    for n in (4711, 4712):
        failed.append(await tasks.fail.delay({"customer_id": n, "password": "hunter2"}))
        await _state(failed[-1], "FAILURE")
    later = await tasks.log.apply_async(("x",), countdown=3600)

    text = await cli("jobs", "state:failed", "text.customer_id:4711")
    data = await cli("jobs", "state:failed sort:oldest", "--json")
    few = await cli("jobs", "-n", "1")
    wrong = await cli("jobs", "took:>2parsecs")

    assert text.lines[0].startswith(f"{failed[0].id}  20")
    assert "  FAILURE  tests.fail({'customer_id': 4711, 'password': '***'})  " in text.lines[0]
    assert text.lines[0].endswith("ValueError: {'customer_id': 4711, 'password': 'hunter2'}")
    assert text.lines[1:] == ["1 job."]
    assert [row["id"] for row in data.json] == [result.id for result in failed]
    assert later.id not in text.out
    assert few.lines[-1].startswith("1 job, and more")
    assert (wrong.code, wrong.out) == (64, "")
    assert "took:>2parsecs: write 2s, 300ms, 5m or 1h, behind > or <" in wrong.err

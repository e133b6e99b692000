"""`why`: one test for each reason why a job has not started."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis

from jobs import Limit, Result, chain, group, monitor, monitor_site, signature
from jobs.client.connection import JobsRedis
from jobs.store.call import Call
from jobs.store.keys import Keys
from tests.jobs.commands.conftest import Cli, Said, StartOnline
from tests.jobs.worker import tasks
from tests.waiting import wait_until

Why = Callable[[Any, str], Awaitable[Said]]


@pytest.fixture
def why(cli: Cli) -> Why:
    """Ask until one of the reasons is the one expected; the text of it all."""

    async def ask(result: Any, code: str) -> Said:
        async def found() -> bool:
            return code in {reason["code"] for reason in (await cli("why", result.id, "--json")).json}

        await wait_until(found, f"{code} to be why")
        text = await cli("why", result.id)
        assert text.code == 0
        assert all(line.startswith(f"{result.id}: ") for line in text.lines)
        return text

    return ask


async def test_it_is_due_later(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.apply_async(("x",), countdown=3600)

    assert "it is due at 2" in (await why(result, "due")).out
    [reason] = (await cli("why", result.id, "--json")).json
    assert reason["until"].endswith("+00:00")


async def test_its_retry_is_due_later(why: Why, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.patient.delay()

    async def waits() -> bool:
        return bool(await result.state() == "RETRY")

    await wait_until(waits, "the first attempt to end")
    assert "its retry is due at 2" in (await why(result, "due")).out


async def test_its_queue_is_paused(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    await cli("control", "pause", "default")
    result = await tasks.log.delay("x")

    [line] = (await why(result, "paused")).lines
    assert line.startswith(f"{result.id}: queue 'default' is paused, by ")
    assert f"@{socket.gethostname()} (command line) since 2" in line


async def test_no_live_worker_serves_its_queue(why: Why, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.apply_async(("x",), queue="mail")

    assert (await why(result, "no-worker")).lines == [f"{result.id}: no live worker serves queue 'mail'"]


async def test_only_a_quiet_worker_serves_its_queue(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    await cli("control", "quiet")
    result = await tasks.log.delay("x")

    async def told() -> bool:
        return "but quiet ones" in (await cli("why", result.id)).out

    await wait_until(told, "the worker to say that it is quiet")


async def test_no_worker_knows_its_task(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    result = await signature("tests.of_tomorrow").delay()

    async def told() -> bool:  # a worker claims it first, and gives it back
        return "knows the task 'tests.of_tomorrow'" in (await cli("why", result.id)).out

    await wait_until(told, "the worker to say that nobody knows the task")
    await why(result, "unknown-task")


async def test_a_stock_producers_job(why: Why, start_online: StartOnline, connection: JobsRedis) -> None:
    await start_online()
    await connection.sadd(Keys.PAUSED, "default")
    payload = connection.dumps({"t": None, "f": "tests.of_tomorrow", "a": [], "k": {}, "et": 1})
    await connection.set(Keys.JOB + "stock", payload)
    await connection.zadd(Keys.QUEUE, {"stock": 1})

    class stock:
        id = "stock"

    assert "queue 'default' is paused" in (await why(stock, "unknown-task")).out
    await connection.delete(Keys.JOB + "stock", Keys.QUEUE)


async def test_a_stock_producers_job_in_a_queue_of_its_own(
    why: Why, cli: Cli, start_online: StartOnline, redis: Redis
) -> None:
    """What it calls is pickled, and no worker of ours has seen it; then a stock worker has it."""
    await start_online(
        OPTIONS='{"queue_name": "my:q", "queues": ["default"], "health_check_key": "arq:queue:health-check"}'
    )
    pool = ArqRedis(redis.connection_pool, default_queue_name="my:q")
    job = await pool.enqueue_job("tests.log", "x", _job_id="stock", _defer_by=600)

    assert job is not None
    assert (await why(result := Result("stock"), "due")).lines[0].startswith("stock: it is due at 2")
    assert len((await why(result, "due")).lines) == 1
    assert "stock  tests.log(…)  =my:q  PENDING  at 2" in (await cli("inspect", "scheduled")).out
    await redis.set("arq:in-progress:stock", b"1", px=310_000)
    assert "stock: a stock arq worker runs it, or was killed: no other until 2" in (await why(result, "running")).out
    await redis.delete("arq:in-progress:stock", "arq:job:stock", "my:q")


async def test_a_rate_limit(why: Why, connection: JobsRedis, start_online: StartOnline) -> None:
    await monitor.set_rate_limit(connection, "tests.log", "1/h")
    await start_online()
    await (await tasks.log.delay("first")).get(timeout=10)
    result = await tasks.log.delay("second")

    assert "the rate limit of tests.log, until 2" in (await why(result, "rate-limit")).out


async def test_a_concurrency_limit(why: Why, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    await connection.declare_limits("tests.nap", None, 1)
    await tasks.nap.delay(30)
    result = await tasks.nap.delay(30)

    found = await why(result, "concurrency-limit")
    assert found.lines == [f"{result.id}: the concurrency limit of tests.nap: 1 of 1 run"]


async def test_children_of_a_workflow(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    flow = await chain(group(tasks.nap.s(30), tasks.nap.s(30), tasks.log.s(1)), tasks.log.s(), tasks.log.s()).delay()

    async def some_wait() -> bool:
        return "waits for 4 of its 5 children" in (await cli("why", flow.id)).out

    await wait_until(some_wait, "one member to have ended")
    await why(flow, "children")


async def test_children_before_it(why: Why, cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    flow = await (group(tasks.nap.s(30), tasks.nap.s(30), tasks.log.s(1)) | tasks.log.s()).delay()

    class body:
        id = f"{flow.id}:1"

    async def two_wait() -> bool:
        return f"when 2 children before it in workflow {flow.id}" in (await cli("why", body.id)).out

    await wait_until(two_wait, "two members to be left")
    await why(body, "children")
    assert (await cli("why", f"{flow.id}:7")).code == 1


async def test_all_slots_are_busy(why: Why, start_online: StartOnline) -> None:
    await start_online(MAX_JOBS="2")
    for _ in range(2):
        await tasks.nap.delay(30)
    await tasks.log.delay("before")
    result = await tasks.log.delay("x")

    found = await why(result, "busy")
    assert found.lines == [f"{result.id}: all 2 slots of 1 worker are busy; 1 job comes before it"]


async def test_nothing_holds_it_back(why: Why, connection: JobsRedis, start_online: StartOnline) -> None:
    worker = await start_online()
    worker.process.send_signal(19)  # SIGSTOP: it claims nothing, and has not been missed yet
    try:
        result = await tasks.log.delay("x")
        assert "nothing holds it back; 0 jobs come before it" in (await why(result, "next")).out
    finally:
        worker.process.send_signal(18)


async def test_it_expires(why: Why, cli: Cli) -> None:
    """Nobody serves its queue, so nobody has ended it."""
    soon = await tasks.log.apply_async(("x",), expires=3600)
    over = await tasks.log.apply_async(("x",), expires=0.001)

    assert "it expires at 2" in (await why(soon, "expires")).out
    text = (await why(over, "expired")).out
    assert "no live worker serves queue 'default'" in text
    assert "the next worker that looks at its queue ends it as REVOKED" in text


async def test_it_runs(why: Why, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.nap.delay(30)

    assert "it runs on " in (await why(result, "running")).out


async def test_its_worker_died_and_it_waits_to_run_alone(
    why: Why, cli: Cli, connection: JobsRedis, start_online: StartOnline
) -> None:
    dies = await start_online(LEASE="1")
    results = [await tasks.nap.delay(30) for _ in range(4)]

    async def all_run() -> bool:
        return [await result.state() for result in results] == ["STARTED"] * 4

    await wait_until(all_run, "all to run")
    name = (await results[0].info()).worker
    stops = await start_online(LEASE="1", COMPLETION_WAIT="0")
    dies.process.kill()

    async def one_runs_again() -> list[Any]:
        infos = [await result.info() for result in results]
        return sorted(info.id for info in infos if info.attempts == 1) if any(i.attempts == 2 for i in infos) else []

    waiting = await wait_until(one_runs_again, "one to run again")
    assert len(waiting) == 3
    for n, result in enumerate(sorted((result for result in results if result.id in waiting), key=lambda r: r.id)):
        text = (await why(result, "suspect")).out
        assert f"{result.id}: its worker {name} died or lost its lease at 2" in text
        assert f"one at a time on each worker, and {n} come before it; 1 worker now for queue 'default'" in text
        assert [reason.code for reason in (await monitor_site.job(connection, result.id)).reasons] == ["suspect"]
    [again] = {result.id for result in results} - {*waiting}
    assert (await monitor_site.job(connection, again)).reasons == []
    assert sorted(job["id"] for job in (await cli("inspect", "reserved", "--json")).json) == waiting

    stops.process.terminate()
    await stops.wait_until_ended()
    reasons = await monitor.why(connection, again)
    assert [reason.code for reason in reasons] == ["suspect", "no-worker"]
    assert reasons[0].text == "it ran on a worker that died: such jobs run again one at a time on each worker"


async def test_it_has_ended(why: Why, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.delay("x")
    await result.get(timeout=10)

    assert (await why(result, "ended")).lines == [f"{result.id}: it has ended: SUCCESS"]


async def test_nobody_knows_it(cli: Cli) -> None:
    answer = await cli("why", "nobody", "--json")

    assert answer.code == 1
    assert [reason["code"] for reason in answer.json] == ["unknown"]


async def test_a_limit_of_a_key(why: Why, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    await connection.declare_limits("tests.nap", None, Limit(1, per="seconds"))
    payload, results = connection.encode_call("tests.nap", (30,), {}), [Result(f"nap-{n}") for n in range(3)]
    await connection.enqueue([Call(one.id, "default", payload, "tests.nap", keys="seconds=30") for one in results])
    await wait_until(lambda: connection.exists("jobs:waiting:tests.nap"), "the second to wait")

    text = "the concurrency limit of tests.nap for seconds=30: 1 of 1 run"
    assert (await why(results[1], "concurrency-limit")).lines == [f"{results[1].id}: {text}"]
    assert f"{text}; 1 other waits before it" in (await why(results[2], "concurrency-limit")).out
    await connection.run_script("set_limits", "tests.nap", "seconds=30", "paused", "1")
    paused = "tests.nap is paused for seconds=30, until somebody resumes it"
    assert paused in (await why(results[1], "concurrency-limit")).out

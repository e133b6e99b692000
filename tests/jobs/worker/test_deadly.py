"""Jobs that kill their workers: when they end, what runs beside them meanwhile, and that their end decodes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import Result, encoding, monitor, task
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked, WorkerLost
from jobs.monitor import NotRetried, retry, why
from jobs.monitor_site import job as look_at
from jobs.store import keys
from jobs.store.keys import Keys
from jobs.store.scripts import script
from jobs.values import exceptions
from jobs.worker import suspects
from jobs.worker.execution.runnables import inert_call
from tests.jobs.worker.conftest import StartWorker, stop_at_once
from tests.jobs.worker.tasks import note_error
from tests.waiting import wait_until

decoded: list[str] = []
ran: list[str] = []


class OwnType:
    """A type of an application: decoding it runs the application's code."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def from_plain(cls, text: str) -> OwnType:
        decoded.append(text)
        return cls(text)


class OwnError(Exception):
    """An exception of an application."""

    def __init__(self, text: str) -> None:
        decoded.append(text)
        super().__init__(text)


encoding.declare_type(OwnType, 101, lambda value: value.text, OwnType.from_plain)
exceptions.declare_exception(OwnError)


@task(name="test_deadly.take")
async def take(*values: Any, **named: Any) -> None:
    ran.append("take")


@task(name="test_deadly.work")
async def work(name: str, seconds: float = 0) -> None:
    ran.append(f"start {name}")
    await asyncio.sleep(seconds)
    ran.append(f"end {name}")


@task(name="test_deadly.look")
async def look(ids: list[str]) -> None:
    """Note which of these run for the second time now."""
    infos = [await Result(job_id).info() for job_id in ids]
    ran.append(" and ".join(info.id for info in infos if (info.state, info.attempts) == ("STARTED", 2)))


TASKS = [take, work, look, note_error]


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    decoded.clear()
    ran.clear()


@pytest.fixture(autouse=True)
async def redis_was_never_away(redis: Redis, nothing_ran: None) -> None:
    """Lapsed jobs may be taken over at once."""
    await redis.hset(Keys.ALIVE, "back", 0)
    await _claim(redis, "its first contact")
    await redis.hset(Keys.ALIVE, "back", 0)


async def _claim(redis: Redis, worker: str) -> list[Any]:
    """What a worker with a lease of 1 ms claims: it is as good as dead."""
    rows, *_ = await redis.eval(script("claim").text, 1, "jobs:", worker, f"{worker} token", 1, 100, 1, "default")
    return rows


def _verdict(row: list[Any]) -> str:
    return row[6].decode() if len(row) > 6 else ""


async def _revoke(redis: Redis, job_id: str) -> None:
    """Found by the claim: stock arq's way."""
    await redis.zadd(Keys.ABORT, {job_id: 1})


async def _expire(redis: Redis, job_id: str) -> None:
    await redis.hset(Keys.RECORD + job_id, "expires", 1)


async def _poison(redis: Redis, job_id: str) -> None:
    await redis.hset(Keys.RECORD + job_id, mapping={"state": "PENDING", "crashes": keys.POISON, "deaths": 3})


ENDS = {"REVOKED": (_revoke, TaskRevoked), "EXPIRED": (_expire, TaskRevoked), "FAILURE": (_poison, WorkerLost)}


@pytest.mark.parametrize("end", ENDS)
async def test_a_job_that_is_ended_unstarted_is_not_decoded(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, tmp_path: Path, end: str
) -> None:
    """Whatever it holds, and wherever in its call that is; its error callback is called if it can be read safely."""
    make, error = ENDS[end]
    told = tmp_path / "told"
    calls = {
        "own type": take.s(OwnType("x")),
        "nested": take.s([{"deep": (OwnType("x"),)}], named={1: OwnType("x")}),
        "exception": take.s(OwnError("x")),
        "callback": take.s().set(link_error=take.s(OwnType("x"))),
        "plain": take.s(1, named=(2, {3})).set(link_error=note_error.s(str(told))),
        "own type, plain callback": take.s(OwnType("x")).set(link_error=note_error.s(str(told))),
    }
    jobs = {what: await call.delay() for what, call in calls.items()}
    decoded.clear()
    for job in jobs.values():
        await make(redis, job.id)

    await start_worker(tasks=TASKS)

    for what, job in jobs.items():
        await wait_until(lambda job=job: _state(redis, job), f"{what} to end")
    await wait_until(lambda: told.exists() and len(told.read_text().splitlines()) == 2, "two error callbacks")
    assert (decoded, ran) == ([], [])
    for job in jobs.values():
        assert type(await job.get(timeout=5, propagate=False)) is error
        assert await job.state() == ("FAILURE" if end == "FAILURE" else "REVOKED")
    assert all(line.startswith("test_deadly.take ") for line in told.read_text().splitlines())
    for what in ("own type", "nested"):
        detail = await look_at(connection, jobs[what].id)
        assert detail is not None
        assert (detail.call, detail.can_retry) == (None, False)
        with pytest.raises(NotRetried, match="are not kept"):
            await retry(connection, jobs[what].id)
    shown = await look_at(connection, jobs["plain"].id)
    assert shown is not None
    assert (shown.call.args, shown.call.kwargs) == ([1], {"named": (2, {3})})
    assert decoded == []


async def _state(redis: Redis, job: Result) -> bool:
    return bool(await redis.hget(Keys.RECORD + job.id, "finished"))


async def test_an_end_that_its_worker_does_not_live_to_record_is_found_again(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """The claim that finds a job expired is no start of it."""
    job = await take.apply_async((1,), expires=datetime.now(UTC) - timedelta(seconds=1))
    [row] = await wait_until(lambda: _claim(redis, "killed"), "it to be claimed")
    assert _verdict(row) == "expired"

    await start_worker(tasks=TASKS)

    with pytest.raises(TaskRevoked):
        await job.get(timeout=5)
    assert ran == []
    assert (await job.info()).attempts == 0


@pytest.mark.parametrize("payload", [b"", b"\x93\x01\x02\x03", b"\x81\xa1f\x01", 2000 * b"\x91" + b"\x00"])
def test_bytes_that_are_nobodys_are_a_call_of_no_task(payload: bytes) -> None:
    assert inert_call(payload).task == "<unknown>"


def test_values_nested_too_deep_are_not_decoded() -> None:
    value: Any = b"\x90"
    for _ in range(200):
        value = encoding.msgpack.packb(encoding.msgpack.ExtType(1, value))
    whole = encoding.dumps({"t": None, "f": "a", "a": ["HERE"], "k": {}, "et": 1})

    call = inert_call(whole.replace(encoding.dumps("HERE"), value))

    assert (call.task, call.args) == ("a", ())


# Which death is the last.

FIRST, AMONG_OTHERS, ALONE = "first", "among others", "alone"


@pytest.mark.parametrize(
    ("deaths", "ends"),
    [
        ([FIRST], False),
        ([FIRST, AMONG_OTHERS], False),
        ([FIRST, AMONG_OTHERS, ALONE], True),
        ([FIRST, AMONG_OTHERS, AMONG_OTHERS], False),
        ([FIRST, AMONG_OTHERS, AMONG_OTHERS, ALONE], True),
        ([FIRST, AMONG_OTHERS, AMONG_OTHERS, AMONG_OTHERS], True),
    ],
)
async def test_a_job_ends_with_the_third_death_or_if_others_ran_beside_it_with_the_fourth(
    redis: Redis, connection: JobsRedis, deaths: list[str], ends: bool
) -> None:
    job = await take.delay()
    numbers = count(1)

    async def claimed(how: str) -> str:
        """The verdict of the next worker, which dies."""
        worker = f"worker {next(numbers)}"
        found: list[Any] = await wait_until(lambda: _claim(redis, worker), "it to be claimed")
        if how == ALONE:
            assert await connection.run_script("alone", job.id, f"{worker} token", 1) == 1
        return _verdict(found[0])

    verdicts = [await claimed(how) for how in deaths]
    assert verdicts == [""] * len(deaths)

    assert await claimed(FIRST) == ("poison" if ends else "")
    info = await job.info()
    assert info.deaths == len(deaths)
    assert not await connection.run_script("alone", job.id, "another's token", 1)


async def test_what_it_killed_is_said(redis: Redis, connection: JobsRedis, start_worker: StartWorker) -> None:
    job = await take.delay()
    await _poison(redis, job.id)
    await start_worker(tasks=TASKS)

    with pytest.raises(WorkerLost, match="killed 3 workers"):
        await job.get(timeout=5)

    assert (await job.info()).killed == 3
    assert [reason.text for reason in await why(connection, job.id)] == ["it has ended: FAILURE: it killed 3 workers"]
    detail = await look_at(connection, job.id)
    assert detail is not None
    assert detail.error == f"WorkerLost: job {job.id} killed 3 workers"


# What runs beside it.


async def _on_its_last_chance(redis: Redis, job: Result) -> None:
    await redis.hset(Keys.RECORD + job.id, mapping={"state": "PENDING", "suspect": 1, "crashes": 1, "deaths": 2})


async def _is_alone(redis: Redis, job: Result) -> bool:
    return await redis.hget(Keys.RECORD + job.id, "alone") == b"1"


async def test_a_job_on_its_last_chance_runs_alone(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """What ran before it has ended, and what waits does not start."""
    await start_worker(tasks=TASKS)
    before = await work.delay("before", 0.3)
    await wait_until(lambda: "start before" in ran, "another to run")
    await monitor.pause(connection, "default")
    suspect = await work.delay("suspect", 0.3)
    await _on_its_last_chance(redis, suspect)
    others = [await work.delay(f"other {n}") for n in range(12)]
    await monitor.resume(connection, "default")

    await wait_until(lambda: "start suspect" in ran, "it to run")
    assert await _is_alone(redis, suspect)
    await asyncio.gather(*(job.get(timeout=10) for job in (before, suspect, *others)))

    began = ran.index("start suspect")
    assert ran[began : began + 2] == ["start suspect", "end suspect"]
    assert ran.index("end before") < began
    assert await redis.hmget(Keys.RECORD + suspect.id, "state") == [b"SUCCESS"]


async def test_a_suspect_starts_when_the_one_before_is_recorded(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Else the death of the second would be taken for the doing of the first, too."""
    ids = [f"suspect {n}" for n in range(12)]
    jobs = [await look.apply_async((ids,), task_id=job_id) for job_id in ids]
    assert len(await _claim(redis, "killed")) == len(jobs)
    await start_worker(tasks=TASKS)

    await asyncio.gather(*(job.get(timeout=10) for job in jobs))

    assert sorted(ran) == sorted(ids)


async def test_others_start_beside_one_that_runs_long(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "ALONE_S", 0.2)
    suspect = await work.delay("suspect", 60)
    await _on_its_last_chance(redis, suspect)
    await start_worker(tasks=TASKS)
    await wait_until(lambda: _is_alone(redis, suspect), "it to run alone")

    await (await work.delay("other")).get(timeout=5)

    assert "end suspect" not in ran
    assert not await _is_alone(redis, suspect)


async def test_it_starts_beside_others_that_run_long(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "DRAIN_S", 0.2)
    await start_worker(tasks=TASKS)
    await work.delay("long", 60)
    await wait_until(lambda: "start long" in ran, "another to run")
    suspect = await work.apply_async(("suspect",), countdown=0.5)
    await _on_its_last_chance(redis, suspect)

    await suspect.get(timeout=5)

    assert ran == ["start long", "start suspect", "end suspect"]


@pytest.mark.parametrize("terminate", [True, False])
async def test_one_that_waits_to_be_alone_can_be_stopped(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, terminate: bool
) -> None:
    worker = await start_worker(tasks=TASKS)
    await work.delay("long", 60)
    await wait_until(lambda: "start long" in ran, "another to run")
    suspect = await work.apply_async(("suspect",), countdown=0.5)
    await _on_its_last_chance(redis, suspect)
    await wait_until(lambda: _started(suspect), "it to be claimed")

    if terminate:
        await suspect.revoke(terminate=True)
        with pytest.raises(TaskRevoked):
            await suspect.get(timeout=5)
    else:
        await stop_at_once(worker)
        assert await suspect.state() == "PENDING"
    assert "start suspect" not in ran


async def _started(job: Result) -> bool:
    return await job.state() == "STARTED"


async def test_a_new_worker_takes_no_suspect_and_few_jobs_until_one_has_ended(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Each time that a job kills it at once, another has ended before."""
    suspect = await work.delay("suspect")
    await redis.hset(Keys.RECORD + suspect.id, mapping={"state": "PENDING", "suspect": 1})
    others = [await work.delay(str(n), 0.05) for n in range(20)]

    await start_worker(tasks=TASKS, max_jobs=20)

    await asyncio.gather(*(job.get(timeout=10) for job in (suspect, *others)))
    first_end = next(n for n, line in enumerate(ran) if line.startswith("end"))
    assert first_end == suspects.FIRST_JOBS
    assert ran.index("start suspect") > first_end

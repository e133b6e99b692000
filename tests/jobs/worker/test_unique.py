"""`@task(unique=Unique(...))` as callers and workers see it. What Redis holds: tests/jobs/store/test_unique.py."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jobs import (
    CurrentJob,
    Limit,
    Middleware,
    NotUnique,
    OutgoingCall,
    Result,
    SettingsMistake,
    Unique,
    WrongValue,
    chain,
    chord,
    connect,
    every,
    group,
    monitor,
    monitor_site,
    schedules,
    task,
)
from jobs.client.connection import JobsRedis
from jobs.errors import NotRetried
from jobs.testing import Clock, Workers, eager
from tests.jobs.worker.conftest import StartProcess, StartWorker
from tests.jobs.worker.tasks import unique
from tests.waiting import wait_until

VALUE = {"a": ({1, "b", (2, 3)}, b"c"), "d": {datetime(2026, 12, 1, tzinfo=UTC): [Decimal("1.0"), uuid.UUID(int=1)]}}
ran: list[Any] = []
go: list[asyncio.Event] = []


@pytest.fixture(autouse=True)
async def nothing_ran() -> AsyncIterator[None]:
    ran.clear()
    go[:] = [asyncio.Event()]
    yield
    go[0].set()


async def work(user_id: Any = 0, region: str = "eu", fail: bool = False) -> Any:
    ran.append(user_id)
    await go[0].wait()
    if fail:
        raise ValueError("no luck")
    return user_id


async def plain(user_id: Any = 0, note: Any = "") -> Any:
    ran.append((user_id, note))
    return note


once = task(name="unique.once", unique=Unique("user_id"), max_retries=None)(work)
all_of_it = task(name="unique.all", unique=Unique())(work)
whole = task(name="unique.whole", unique=Unique(None))(work)
until_start = task(name="unique.start", unique=Unique("user_id", until="start"))(work)
strict = task(name="unique.strict", unique=Unique("user_id", on_conflict="error"))(work)
per_region = task(
    name="unique.per_region", unique=Unique("user_id", on_conflict="replace"), max_concurrency=Limit(1, per="region")
)(work)
replaced = task(name="unique.replaced", unique=Unique("user_id", on_conflict="replace"))(plain)
throttled = task(name="unique.throttled", unique=Unique("user_id", window=timedelta(minutes=1)))(plain)
debounced = task(name="unique.debounced", unique=Unique("user_id", debounce=5, max_wait=60))(plain)


@task(name="unique.note")
async def note(*words: Any) -> Any:
    ran.append(words)
    return words


@task(name="unique.nested", unique=Unique("n"))
async def nested(n: int) -> bool:
    return (await nested.delay(n)).existing


@task(name="unique.durable", bind=True)
async def durable(self: CurrentJob) -> tuple[str, int]:
    try:
        await self.run(once.s(1))
    except NotUnique as error:
        holder = error.id
    await self.sleep(3600)
    return holder, await self.run(once.s(1), name="later")


start_per_region = task(
    name="unique.start_per_region", unique=Unique("user_id", until="start"), max_concurrency=Limit(1, per="region")
)(work)
TASKS = [
    start_per_region,
    per_region,
    durable,
    once,
    all_of_it,
    whole,
    until_start,
    strict,
    replaced,
    throttled,
    debounced,
    note,
    nested,
]


async def journal_has(connection: JobsRedis, workflow: str, n: int) -> bool:
    return bool(await connection.hlen(connection.key.JOURNAL + workflow) == n)  # type: ignore[misc]


async def test_of_fifty_callers_one_stores_and_all_get_its_result(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    results = await asyncio.gather(*(once.delay(7) for _ in range(50)))
    go[0].set()

    assert len({result.id for result in results}) == 1
    assert [result.existing for result in results].count(False) == 1
    assert await asyncio.gather(*(result.get(timeout=10) for result in results)) == [7] * 50
    assert ran == [7]
    assert not (await once.delay(7)).existing


async def test_calls_in_bulk_see_each_other(connection: JobsRedis) -> None:
    results = await once.apply_many([(n % 3,) for n in range(600)])

    assert [result.existing for result in results] == [False] * 3 + [True] * 597
    assert len({result.id for result in results}) == 3
    assert await connection.zcard("arq:queue") == 3


@pytest.mark.parametrize(
    ("unique", "same", "other"),
    [
        (all_of_it, [((1,), {}), ((1, "eu"), {}), ((), {"user_id": 1, "fail": False})], ((1, "us"), {})),
        (whole, [((1,), {}), ((2, "us"), {})], None),
        (once, [(({1, "b", (3,)},), {}), (({"b", (3,), 1},), {})], (({1, "b"},), {})),
        (once, [(({"a": 1, "b": [2]},), {}), (({"b": (2,), "a": 1},), {})], (({"a": 1},), {})),
        (once, [((), {}), ((0, "us"), {})], ((False,), {})),
        (once, [(("x:y \n\0*",), {}), (("x:y \n\0*", "us"), {})], (("x:y \n\0",), {})),
        (once, [((b"\xff" * 100_000,), {}), ((b"\xff" * 100_000,), {})], ((b"\xff",), {})),
        (once, [(("1",), {})], ((1,), {})),
        (once, [((1,), {})], ((1.0,), {})),
    ],
)
async def test_what_the_same_arguments_are(connection: JobsRedis, unique: Any, same: list[Any], other: Any) -> None:
    first, *rest = [await unique.apply_async(args, kwargs) for args, kwargs in same]

    assert all(result.existing and result == first for result in rest)
    assert other is None or not (await unique.apply_async(*other)).existing
    assert len(await connection.keys("jobs:unique:*")) == (1 if other is None else 2)


async def test_a_key_until_the_start_is_not_taken_back_by_a_retry(start_worker: StartWorker) -> None:
    first = await until_start.delay(1)
    assert (await until_start.delay(1)) == first
    await start_worker(tasks=TASKS)
    await wait_until(lambda: ran, "the first to start")

    second = await until_start.delay(1)

    assert not second.existing
    go[0].set()
    assert await second.get(timeout=10) == await first.get(timeout=10) == 1


async def test_calls_through_middleware_are_the_job_that_is_there_too(redis_url: str) -> None:
    class Passes(Middleware):
        async def send(self, call: OutgoingCall, call_next: Any) -> Result:
            return await call_next(call)  # type: ignore[no-any-return]

    async with connect(redis_url, middleware=[Passes()]):
        first, second, other = await once.apply_many([(1,), (1,), (2,)])
        third = await once.delay(1)

        assert [one.existing for one in (first, second, other, third)] == [False, True, False, True]
        assert first == second == third != other
        with pytest.raises(NotUnique) as refused:
            await strict.apply_many([(1,), (1,)])
        assert [one.existing for one in refused.value.results] == [False, True]


async def test_an_error_names_the_job_that_is_there(connection: JobsRedis) -> None:
    first = await strict.apply_async((1,), link=note.s())

    with pytest.raises(NotUnique, match=f"unique.strict: not called, as job {first.id} has the key") as caught:
        await strict.delay(1)

    assert caught.value.id == first.id
    with pytest.raises(NotUnique) as caught:
        await strict.apply_many([(2,), (1,), (3,), (2,)])
    results = caught.value.results
    assert [(one.existing, await one.state()) for one in results] == [(n % 2 == 1, "PENDING") for n in range(4)]
    assert (results[1], results[3], caught.value.id) == (first, results[0], first.id)
    await first.revoke()
    assert not (await strict.delay(1)).existing


async def test_a_waiting_job_takes_the_new_arguments_and_a_running_one_goes_on(start_worker: StartWorker) -> None:
    first = await replaced.apply_async((1, "first"), countdown=3600)
    second = await replaced.apply_async((1, "second"), headers={"a": "b"})
    await start_worker(tasks=TASKS)

    assert await first.get(timeout=10) == await second.get(timeout=10) == "second"
    assert (second.existing, second.replaced, ran) == (True, True, [(1, "second")])


@pytest.mark.parametrize("made", [replaced, once, throttled, debounced])
async def test_a_result_says_whether_its_arguments_will_run(connection: JobsRedis, made: Any) -> None:
    changes = made in (replaced, debounced)
    results = await made.apply_many([(1,), (1,), (2,)])
    assert [(one.existing, one.replaced) for one in results] == [(False, False), (True, changes), (False, False)]

    await connection.hset(connection.key.RECORD + results[0].id, "state", "STARTED")  # as a worker that has claimed it
    later = await made.delay(1)
    assert (later.blocking.existing, later.blocking.replaced) == (made is not debounced, False)


async def test_new_arguments_wait_for_the_limits_of_their_own_key(start_worker: StartWorker) -> None:
    connection = (await start_worker(tasks=TASKS)).pool
    running = await per_region.delay(1, "eu")
    await wait_until(lambda: ran, "the first to run")
    waiting, stays = await per_region.apply_many([(2, "eu"), (3, "eu")])
    await wait_until(lambda: _waits(connection, waiting.id), "the second to wait for its limit")

    assert (await per_region.delay(2, "us")) == waiting
    await wait_until(lambda: len(ran) == 2, "it to start in its new region")

    assert ran == [1, 2]
    assert await stays.state() == "PENDING"
    go[0].set()
    assert [await each.get(timeout=10) for each in (running, waiting, stays)] == [1, 2, 3]


async def _waits(connection: JobsRedis, job_id: str) -> bool:
    return any(reason.code == "concurrency-limit" for reason in await monitor.why(connection, job_id))


async def test_a_window_counts_from_the_call_whatever_became_of_it(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=TASKS):
        first = await throttled.delay(1, "first")
        await jobs_clock.advance(seconds=50)
        assert await throttled.delay(1, "second") == first
        await first.forget()
        assert await throttled.delay(1, "third") == first
        assert not (await throttled.delay(2)).existing
        await jobs_clock.advance(seconds=11)
    assert ran == [(1, "first"), (2, "")]


async def test_a_burst_runs_once_with_the_last_arguments(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=TASKS):
        results = []
        for n in range(20):
            results.append(await debounced.delay(1, n))
            await jobs_clock.advance(seconds=4)
        assert ran == [(1, 14)]  # after a minute, though the calls went on
        await jobs_clock.advance(seconds=10)

        assert ran == [(1, 14), (1, 19)]
        assert [await result.get(timeout=10) for result in results] == [14] * 15 + [19] * 5
        assert [result.existing for result in results].count(False) == 2


LOST: list[tuple[Callable[[], Any], str]] = [
    (lambda: once.apply_async((1,), link=note.s()), "link= would be lost"),
    (lambda: once.apply_async((1,), link=note.s(), link_error=note.s()), "link= and link_error= would be lost"),
    (lambda: debounced.apply_async((1,), countdown=3), "debounce= says when it starts"),
    (lambda: note.apply_async((1,), link=strict.si(1)), "nobody gets the NotUnique"),
    (lambda: note.apply_async((1,), link=once.si(1).set(link=note.s())), "link= would be lost"),
    (lambda: group(note.s(), debounced.s(1)).delay(), "no member of a workflow can have debounce="),
    (lambda: chain(note.s(), group(note.s(), replaced.si(1))).delay(), "no member of a workflow"),
    (lambda: group(once.s(1).set(link_error=note.s())).delay(), "fails without link_error="),
    (lambda: note.apply_many([(1,)], link=strict.si(1)), "nobody gets the NotUnique"),
]


@pytest.mark.parametrize(("call", "why"), LOST)
async def test_what_would_be_lost_is_refused_at_the_call(connection: JobsRedis, call: Any, why: str) -> None:
    with pytest.raises(WrongValue, match=why):
        await call()

    assert await connection.keys("*") == []


async def test_a_member_whose_key_is_taken_fails(start_worker: StartWorker, connection: JobsRedis) -> None:
    first = await once.delay(VALUE)
    await start_worker(tasks=TASKS)

    workflow = await chord([once.s(VALUE), once.s(2), note.s(3)], note.s()).delay()
    forgiving = await group([once.s(VALUE), note.s(4)], return_exceptions=True).delay()
    for each in (workflow, forgiving):  # the one that is refused, and the note
        await wait_until(lambda: journal_has(connection, each.id, 2), "two members to end")  # noqa: B023
    go[0].set()

    with pytest.raises(NotUnique, match=f"job {first.id} has the key"):
        await workflow.get(timeout=10)
    refused, noted = await forgiving.get(timeout=10)
    assert isinstance(refused, NotUnique)
    assert tuple(noted) == (4,)
    [refused, *others, _] = await workflow.children()
    assert [await one.state() for one in (refused, *others)] == ["FAILURE", "SUCCESS", "SUCCESS"]
    assert (await monitor.call_of(connection, refused.id) or monitor.MaskedCall()).task == once.name
    detail = await monitor_site.job(connection, refused.id)
    assert detail is not None
    assert f"job {first.id} has the key of this call" in detail.error
    assert detail.can_retry is False
    assert await connection.zscore(connection.key.UNSUCCESSFUL, refused.id)
    assert await workflow.retry_failed()
    assert (await workflow.get(timeout=10))[0][:2] == [VALUE, 2]


async def test_members_take_their_keys_when_they_are_called_so_one_of_two_fails(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    chains = [await (once.si(1) | note.s()).delay() for _ in range(2)]
    twice = await group(once.s(2), once.s(2)).delay()
    alone = await group(once.s(3), once.s(4)).delay()
    await wait_until(lambda: len(ran) == 4, "the members that have their keys to run")
    go[0].set()

    ends = [await one.get(timeout=10, propagate=False) for one in chains]
    [refused] = [end for end in ends if isinstance(end, NotUnique)]
    holder = chains[1 - ends.index(refused)]
    assert refused.id in [one.id for one in await holder.children()]
    with pytest.raises(NotUnique, match="as a member of a workflow, let a task of it call this one"):
        await twice.get(timeout=10)
    assert await alone.get(timeout=10) == [3, 4]


async def test_a_callback_that_is_folded_is_listed_as_the_job_that_it_became(start_worker: StartWorker) -> None:
    first = await once.apply_async((VALUE,), countdown=3600)
    await start_worker(tasks=TASKS)

    caller = await note.apply_async((5,), link=[once.si(VALUE), note.si(6)])
    await caller.get(timeout=10)
    children = await caller.children()

    assert children[0] == first
    assert tuple(await children[1].get(timeout=10)) == (6,)


async def test_a_step_whose_key_is_taken_fails_in_each_run(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=TASKS):
        first = await once.apply_async((1,), countdown=60)
        result = await durable.delay()
        go[0].set()
        await jobs_clock.advance(hours=2)

        assert tuple(await result.get(timeout=10)) == (first.id, 1)
        assert ran == [1, 1]


async def test_what_schedules_call_has_its_key(jobs_worker: Workers, jobs_clock: Clock) -> None:
    declared = every(once, timedelta(hours=1), name="declared", args=(7,))
    go[0].set()
    async with jobs_worker(tasks=TASKS, cron_jobs=[declared]) as worker:
        waiting = await once.apply_async((7,), countdown=3600 * 2.5)
        await schedules.put("stored", once.s(7), every(timedelta(hours=1)))
        await jobs_clock.advance(hours=2)

        assert ran == []
        assert await schedules.run("stored") == waiting.id
        assert {one.last_id for one in await monitor.schedules(worker.pool)} == {waiting.id}
        await jobs_clock.advance(hours=2)
        assert len(ran) > 1


async def test_a_job_that_is_asked_for_its_limits_has_not_started(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=TASKS) as worker:
        running = await start_per_region.delay(1, "eu")
        await wait_until(lambda: ran, "the first to run")
        await schedules.put("stored", start_per_region.s(2, "eu"), every(timedelta(hours=1)))
        waiting = await schedules.run("stored")
        await wait_until(lambda: _waits(worker.pool, waiting), "what the schedule calls to wait for its limit")

        assert (await start_per_region.delay(2, "eu")).id == waiting
        go[0].set()
        assert await running.get(timeout=10) == 1


async def test_a_job_that_calls_itself_gets_itself(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    assert await (await nested.delay(1)).get(timeout=10) is True


async def test_a_job_is_run_again_only_while_no_other_has_its_key(start_worker: StartWorker) -> None:
    connection = (await start_worker(tasks=TASKS)).pool
    failed = await once.delay(1, fail=True)
    await wait_until(lambda: ran, "it to run")
    await failed.revoke(terminate=True)
    await wait_until(failed.ready, "it to end")
    other = await once.delay(1)

    with pytest.raises(NotRetried, match=f"job {other.id} has the key"):
        await monitor.retry(connection, failed.id)

    go[0].set()
    await other.get(timeout=10)
    again = await monitor.retry(connection, failed.id)
    assert again == f"{failed.id}~2"


async def test_plain_code_and_eager_mode_do_the_same(connection: JobsRedis) -> None:
    first = await asyncio.to_thread(once.blocking.delay, 1)
    second = await asyncio.to_thread(once.blocking.delay, 1)
    assert (second.id, first.existing, second.existing) == (first.id, False, True)

    with eager():
        assert await (await nested.delay(1)).get() is True
        assert not (await nested.delay(1)).existing
        first = await throttled.delay(1, "a")
        assert (await throttled.delay(1, "b")) == first
        await debounced.delay(1, "now")
    assert ran == [(1, "a"), (1, "now")]


async def test_why_says_which_calls_are_this_job_and_until_when(connection: JobsRedis) -> None:
    first = await debounced.delay(1)
    for n in range(3):
        await debounced.delay(1, n)
    lasting = await throttled.delay(1)
    await throttled.delay(1)

    [*_, moved] = await monitor.why(connection, first.id)
    [*_, kept] = await monitor.why(connection, lasting.id)

    assert moved.code == kept.code == "unique"
    assert moved.text.startswith(
        "each call of unique.debounced with the same user_id is this job until it starts; each"
    )
    assert moved.text.endswith(" at the latest; 3 calls were folded into this job")
    assert moved.until is not None
    assert kept.text.endswith(" UTC; 1 call was folded into this job")
    detail = await monitor_site.job(connection, first.id)
    assert detail is not None
    assert detail.unique == moved.text
    assert {task: count.states["FOLDED"] for task, count in (await monitor.totals(connection)).items() if task} == {
        "unique.debounced": 3, "unique.throttled": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: Unique(5), "parameters=5"),  # type: ignore[arg-type]
        (lambda: Unique(until="stop"), "until='stop': give 'start' or 'end'"),  # type: ignore[arg-type]
        (lambda: Unique(window=0), "window=0"),
        (lambda: Unique(window=5, debounce=5), "give window or debounce, not both"),
        (lambda: Unique(until="end", debounce=5), "give until or debounce, not both"),
        (lambda: Unique(max_wait=5), "max_wait= goes with debounce="),
        (lambda: Unique(debounce=5, max_wait=4), "max_wait= goes with debounce=, and is not shorter"),
        (lambda: Unique(debounce=5, on_conflict="replace"), "the last arguments win"),
        (lambda: Unique(on_conflict="fail"), "on_conflict='fail': give 'existing' or 'replace' or 'error'"),  # type: ignore[arg-type]
        (lambda: task(name="unique.never", unique=Unique("user"))(work), "no parameter 'user'; there are: fail, reg"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_is_written(made: Callable[[], Any], why: str) -> None:
    with pytest.raises(SettingsMistake, match=why):
        made()


def test_a_result_by_its_id_is_nobodys_else() -> None:
    assert not Result("a").existing


async def test_no_two_jobs_of_a_key_run_though_a_worker_is_killed(
    connection: JobsRedis, start_process: StartProcess, tmp_path: Path
) -> None:
    path = tmp_path / "runs.txt"
    alive = {"seen": (now := int(time.time() * 1000)), "back": now - 10_000}  # what lapses is taken over at once
    await connection.hset(connection.key.ALIVE, mapping=alive)  # type: ignore[misc,arg-type]
    victim, *_ = [await start_process(LEASE="1", LEASE_RENEWAL="0.3", MAX_JOBS="4") for _ in range(2)]
    results, killed = set[Result[None]](), set[str]()

    for n in range(16):
        called = await unique.apply_many([(str(path), key) for key in range(8)])
        results |= {*called}
        if n == 8:
            await wait_until(lambda: running_on(path, victim.process.pid), "it to run some")
            victim.process.kill()
            killed = running_on(path, victim.process.pid)
        await called[n % 8].get(timeout=20)
    await asyncio.gather(*(result.get(timeout=20) for result in results))

    runs = runs_in(path)
    assert {job_id for _, job_id, _, _ in runs} == {result.id for result in results}
    for key in {run[0] for run in runs}:
        of_key = [(job_id, what) for k, job_id, what, _ in runs if k == key]
        for before, (job_id, what) in pairwise(of_key):
            assert job_id == before[0] if before[1] == "begins" else what == "begins", of_key
    begun = Counter(job_id for _, job_id, what, _ in runs if what == "begins")
    assert all(begun[job_id] == 2 for job_id in killed)
    assert await connection.keys(f"{connection.key.UNIQUE}*") == []


def runs_in(path: Path) -> list[list[str]]:
    """Key, job, what, and pid."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def running_on(path: Path, pid: int) -> set[str]:
    own = [(job_id, what) for _, job_id, what, by in runs_in(path) if by == str(pid)]
    return {job_id for job_id, _ in own} - {job_id for job_id, what in own if what == "ends"}

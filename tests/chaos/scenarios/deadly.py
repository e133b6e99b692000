"""deadly: a job of each kind that kills its worker, among many that do no harm, with the embedded supervisor."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator

from app.embedded import processes
from jobs import Result
from jobs.errors import TaskRevoked, WorkerLost
from jobs.monitor import why
from jobs.store import default
from jobs.store.keys import Keys
from tests.chaos import deadly, invariants
from tests.chaos.fleet import ARQ
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

LONGEST_GAP_S = 20
IN_SHORT = ("decode",)
"""Kinds that the short form plays; its pauses before a new start are short as well."""


async def send(stage: Stage) -> dict[str, Result]:
    """One job of each kind."""
    kinds = {
        "decode": deadly.take.s(deadly.Value("decode")),
        "log": deadly.take.s(deadly.Value("log")),
        "run": deadly.run.s("run", "segv"),
        "result": deadly.give.s(),
        "on_success": deadly.succeed.s(),
        "on_failure": deadly.fail.s(),
        "link": deadly.take.s().set(link=deadly.take.si(deadly.Value("link"))),
        "around": deadly.surrounded.s(),
        "process": deadly.in_process.s(),
        "memory": deadly.memory.s(),
    }
    return {kind: await call.delay() for kind, call in kinds.items() if not stage.short or kind in IN_SHORT}


@contextlib.asynccontextmanager
async def supervised(stage: Stage, lease: float) -> AsyncIterator[None]:
    """One worker, started again by what `make run` uses."""
    os.environ.update(REDIS_URL=f"redis://127.0.0.1:{stage.proxy.port}/0", CHAOS_DEADLY="1", CHAOS_LEASE=str(lease))
    if stage.short:
        processes.FIRST_PAUSE_S = processes.LONGEST_PAUSE_S = 0.1
    command = f"exec {ARQ} tests.chaos.deadly.WorkerSettings >>{stage.folder}/worker.log 2>&1"
    with (stage.folder / "supervisor.log").open("w") as log, contextlib.redirect_stdout(log):
        async with processes.running(processes.Service("worker", ["sh", "-c", command], grace_s=30)):
            yield


def deaths(stage: Stage, kind: str) -> int:
    return sum(key == kind and text == "dies" for _, _, key, text in stage.oracle.read().notes)


def longest_gap(stage: Stage, began: float) -> float:
    """The longest time in which none of the others ended."""
    ends = sorted(run.end for key in stage.acked for run in stage.oracle.runs[key] if run.end is not None)
    return max(later - earlier for earlier, later in zip([began, *ends], ends, strict=False))


@scenario("deadly", "one job of each kind that kills its worker")
async def play(stage: Stage) -> None:
    lease, others = stage.size(15, 1), stage.size(1000, 60)
    await stage.redis.hset(Keys.ALIVE, mapping={"seen": int(time.time() * 1000), "back": 0})
    expires = await deadly.take.apply_async((deadly.Value("decode expired"),), expires=0.01)
    aborted = await deadly.take.delay(deadly.Value("decode aborted"))
    await stage.redis.zadd(Keys.ABORT, {aborted.id: 1})
    later = await deadly.take.apply_async((deadly.Value("decode revoked"),), countdown=1)
    await later.revoke()
    calls = {f"job {n}": stage.rng.uniform(0.5, 1.5) for n in range(others)}
    before = dict(list(calls.items())[: others // 10])
    await stage.send_many(before)
    jobs = await send(stage)
    await stage.send_many({key: s for key, s in calls.items() if key not in before})

    began = time.monotonic()
    async with supervised(stage, lease):
        await stage.until_all_acted(stage.size(400, 60))
        gap = longest_gap(stage, began)
        for kind, job in jobs.items():
            await ended(stage, kind, job, 40 * lease)
        took = time.monotonic() - began
        for job in (expires, aborted, later):
            error = await job.get(timeout=5, propagate=False)
            stage.check("revoked or expired: REVOKED", type(error).__name__, isinstance(error, TaskRevoked))
        starts = len(stage.oracle.read().ready)
        await check_others(stage, starts)
        await invariants.nothing_left(stage)
    undecoded = sum(deaths(stage, f"decode {what}") for what in ("expired", "aborted", "revoked"))
    stage.check("revoke and expiry decode nothing", f"{undecoded} deaths", undecoded == 0)
    stage.check(f"no gap over {LONGEST_GAP_S} s between the others", f"{gap:.1f} s", gap <= LONGEST_GAP_S)
    stage.check("all of it", f"{took:.0f} s, {starts} workers", True)


async def ended(stage: Stage, kind: str, job: Result, timeout_s: float) -> None:
    """A deadly job has ended, after three deaths: its own, but that the first may have been another's beside it."""
    error = await job.get(timeout=timeout_s, propagate=False)
    state, own = await job.state(), deaths(stage, kind)
    fine = (state, type(error)) == ("FAILURE", WorkerLost) and own in (2, 3)
    stage.check(f"{kind}: FAILURE, WorkerLost", f"{state}, {type(error).__name__}, {own} deaths", fine)
    if kind != "process":  # it kills its own process, no worker
        [reason] = await why(default.current(), job.id)
        stage.check(f"{kind}: why says it", reason.text, "killed 3 workers" in reason.text)


async def check_others(stage: Stage, starts: int) -> None:
    states = await stage.states()
    stage.check("the others are SUCCESS", states, states == {"SUCCESS": len(stage.acked)})
    duplicates, most = stage.oracle.duplicates(), starts * 10
    stage.check(f"the others' effects twice <= {most}", duplicates, duplicates <= most)


@scenario("deadly-neighbour", "a long job whose worker is killed by three others, one after the other", short=False)
async def neighbour(stage: Stage) -> None:
    """Each killer starts while the long job runs, the last one at the end of its time alone."""
    killers = []
    async with supervised(stage, lease=2):
        long = await stage.send("long", 9)
        assert long is not None
        for n in range(1, 4):
            await stage.until_started("long", times=n, timeout_s=90)
            killers.append(await deadly.run.delay(f"killer {n}", "segv"))
            began = stage.oracle.runs["long"][-1].start
            await stage.until(lambda n=n: deaths(stage, f"killer {n}") > 0, "the worker to be killed", 30)  # type: ignore[misc]
            stage.check(f"death {n} beside it, seconds after its start", time.monotonic() - began, True)
        for job in (long, *killers):
            await job.get(timeout=120, propagate=False)

    state, runs = await long.state(), stage.oracle.read().started("long")
    stage.check("the long job is SUCCESS", f"{state}, run {runs}", state == "SUCCESS")
    states = [await job.state() for job in killers]
    stage.check("its killers are FAILURE", states, states == 3 * ["FAILURE"])
    own = [deaths(stage, f"killer {n}") for n in range(1, 4)]
    stage.check("each after three deaths", own, all(n <= 3 for n in own))

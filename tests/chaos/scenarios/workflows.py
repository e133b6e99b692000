"""r13, r26: many workflows on few slots, and workflows whose worker fails at each of their steps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from jobs import Result, chain, chord, group
from jobs.workflows.canvas import Node
from tests.chaos import crashing, invariants
from tests.chaos.crashing import FAULTS, POINTS, body, fuse_of, parent, told
from tests.chaos.fleet import WorkerProcess
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.chaos.tasks import fail, work

LEASE_S = 2.0
STOPPED = 40 / 15  # For so many leases a worker is stopped.
REDIS_AWAY_S = 0.5
GRACE_S = 6
"""For so long after the first worker ever has come nobody takes over anything: see alive.lua."""
NAP_S = 0.05
SETTINGS = f"{crashing.__name__}.WorkerSettings"
IN_A_BODY = frozenset({"body begun", "body acted"})
AFTER_A_STEP = frozenset({"before send 2", "after send 2"})


def a_group(key: str) -> Node:
    return group(work.si(f"{key} {n}", NAP_S) for n in range(5))


def a_chain(key: str) -> Node:
    return chain(work.si(f"{key} {n}", NAP_S) for n in range(4))


def a_chord(key: str) -> Node:
    return chord([work.si(f"{key} {n}", NAP_S) for n in range(5)], body.s(f"{key} body"))


def nested(key: str) -> Node:
    def member(name: str) -> Node:
        return work.si(f"{key} {name}", NAP_S)

    inner = chain(member("a"), chord([member("b"), member("c")], body.s(f"{key} inner")), member("d"))
    return chord([inner, member("e") | member("f")], body.s(f"{key} body"))


def a_few(key: str) -> Node:
    return group((work.si(f"{key} {n}", NAP_S) for n in range(6)), max_concurrency=2)


def failing(key: str) -> Node:
    header = [fail.si(key), *(work.si(f"{key} {n}", NAP_S) for n in range(4))]
    return chord(header, body.s(f"{key} body")).on_error(told.s(f"{key} told"))


@dataclass(frozen=True)
class Shape:
    """How a workflow is made, how many of its tasks act, the points that it has not, and whether it is to fail."""

    make: Callable[[str], Any]
    size: int
    without: frozenset[str] = frozenset()
    fails: bool = False
    lease_s: float = LEASE_S


SHAPES = {
    "group": Shape(a_group, 5, IN_A_BODY | AFTER_A_STEP),
    "chain": Shape(a_chain, 4, IN_A_BODY),
    "chord": Shape(a_chord, 6),
    "nested": Shape(nested, 8),
    "few": Shape(a_few, 6, IN_A_BODY),
    "failing": Shape(failing, 5, AFTER_A_STEP, fails=True),
}


def killed_in_every_stage(name: str, shape: Shape) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        cases = [(point, how) for point in POINTS if point not in shape.without for how in FAULTS]
        if stage.short:
            cases = random.Random(f"{name} {stage.rng.random()}").sample(cases, 4)
        await at_each_point(stage, shape, cases * stage.rounds)

    return play


for name, shape in SHAPES.items():
    title = f"{name}: its worker or Redis fails at each step"
    scenario(f"r26-{name}", title)(killed_in_every_stage(name, shape))


async def at_each_point(stage: Stage, shape: Shape, cases: list[tuple[str, str]], settings: str = SETTINGS) -> None:
    stage.fleet.settings = settings
    await stage.workers(2, CHAOS_LEASE=str(shape.lease_s))
    await asyncio.sleep(GRACE_S)
    wrong: list[str] = []
    slowest, where = 0.0, ""
    for number, (point, how) in enumerate(cases):
        key = f"{number} {point} {how}"
        took, what = await one_case(stage, key, shape, point, how)
        wrong += [f"{key}: {text}" for text in what]
        slowest, where = max((slowest, where), (took, f"{point}, {how}"))
    stage.check(
        f"{len(cases)} crashes: every workflow ends as it must, each step acts once", wrong[:5] or "all", not wrong
    )
    stage.check("again only what its process did not live to record", repeated(stage) or "none", not repeated(stage))
    limit = shape.lease_s + 2 + 8 * NAP_S
    stage.check(f"ends <= {limit:.1f} s after the fault", f"{slowest:.1f} s ({where})", slowest <= limit)
    await invariants.quiet(stage)
    await invariants.nothing_left(stage)


async def one_case(stage: Stage, key: str, shape: Shape, point: str, how: str) -> tuple[float, list[str]]:
    """Seconds from the fault to the result, and what was not as it must be."""
    plan = {"point": point, "how": how, "redis": stage.server.pid}
    fuse = fuse_of(stage.folder)
    fuse.with_name("new").write_text(json.dumps(plan))
    fuse.with_name("new").rename(fuse)
    before = len(stage.oracle.read().notes)
    result: Result = await shape.make(key).delay()
    try:
        await stage.until(lambda: not fuse.exists(), f"{key} to be reached", 10)
    except TimeoutError:
        fuse.unlink(missing_ok=True)
        return 0, ["was never reached"]
    began = time.monotonic()
    await stage.until(lambda: len(stage.oracle.read().notes) > before, "the fault", 5)
    victim = next(worker for worker in stage.fleet.all if worker.pid == stage.oracle.notes[-1][1])
    healing = asyncio.create_task(heal(stage, victim, how, shape.lease_s))
    try:
        ended = await result.get(timeout=40, propagate=False)
    except TimeoutError as error:
        ended = error
    finally:
        took = time.monotonic() - began
        await healing
    wrong = [repr(ended)] if isinstance(ended, Exception) != shape.fails or isinstance(ended, TimeoutError) else []
    return took, [*wrong, *await steps_missing(stage, key, shape.size)]


async def steps_missing(stage: Stage, key: str, size: int) -> list[str]:
    """All steps have acted, and none has begun that must not; a callback may come after the result."""

    def effects() -> list[int]:
        runs = stage.oracle.read().runs
        return [stage.oracle.effects(name) for name in list(runs) if name.startswith(f"{key} ")]

    with contextlib.suppress(TimeoutError):
        await stage.until(lambda: len(effects()) == size and all(effects()), "each step to act", LEASE_S + 2)
    acted = effects()
    return [] if len(acted) == size and all(acted) else [f"{sum(map(bool, acted))} of {size} steps acted"]


async def heal(stage: Stage, victim: WorkerProcess, how: str, lease_s: float) -> None:
    """Afterwards there is a Redis and there are two workers."""
    if how == "Redis":
        await asyncio.sleep(REDIS_AWAY_S)
        stage.server.kill9()  # it is dead; its process is still to be waited for
        stage.server.start()
    elif how == "SIGSTOP":
        await asyncio.sleep(lease_s * STOPPED)
        victim.send(signal.SIGCONT)
        await asyncio.sleep(1)
    else:
        await stage.workers(1, CHAOS_LEASE=str(lease_s))
        await stage.until(lambda: not victim.alive, f"{how} to end its worker", 30)


def repeated(stage: Stage) -> list[str]:
    """What acted twice though the process of its first effect was neither killed nor stopped, or more than twice."""
    hit = {pid for _, pid, key, how in stage.oracle.notes if key == "fault" and how in ("SIGKILL", "SIGSTOP")}
    found = []
    for key, runs in stage.oracle.runs.items():
        effects = sorted((run.end, run.pid) for run in runs if run.end is not None)
        if len(effects) > 2 or (len(effects) == 2 and not hit & {pid for _, pid in effects}):
            found.append(f"{key}: {len(effects)}")
    return found[:5]


@scenario("r13", "200 workflows of 5 tasks on one worker of 10 slots")
async def many_on_few_slots(stage: Stage) -> None:
    workflows, children = stage.size(200, 40), 5
    stage.fleet.settings = SETTINGS
    await stage.workers(1)
    for name in ("workflows", "tasks that wait for a workflow"):
        began = time.monotonic()
        if name == "workflows":
            made = [group(work.si(f"{n}.{i}", NAP_S) for i in range(children)) for n in range(workflows)]
            results = [await node.delay() for node in made]
        else:
            results = [await parent.delay(f"parent {n}", children, NAP_S) for n in range(workflows)]
        ended = await asyncio.gather(*(result.get(timeout=120) for result in results), return_exceptions=True)
        took, ideal = time.monotonic() - began, workflows * children * NAP_S / 10
        bad = [outcome for outcome in ended if isinstance(outcome, BaseException)]
        stage.check(f"{workflows} {name}: all end", bad[:2] or "all", not bad)
        stage.check(f"... in <= {3 * ideal:.0f} s (ideal {ideal:.0f} s)", f"{took:.1f} s", took <= 3 * ideal)
    await invariants.hold(stage)


@scenario("r13-queues", "more sleepers than slots, and quick jobs in a second queue")
async def every_slot_is_used(stage: Stage) -> None:
    """12 workers of 10 slots: nobody's slot stays free while a job waits."""
    workers, slots, sleepers, quick = stage.size(12, 3), 10, stage.size(300, 75), 50
    seconds = stage.size(3, 1)
    stage.fleet.settings = SETTINGS
    await stage.workers(workers)
    began = time.monotonic()
    await stage.send_many({f"sleeper {n}": seconds for n in range(sleepers)})
    await stage.send_many({f"quick {n}": 0 for n in range(quick)}, queue="later")
    await stage.until_all_acted(60)
    took, ideal = time.monotonic() - began, sleepers * seconds / workers / slots
    most = stage.oracle.most_beside([key for key in stage.acked if key.startswith("sleeper")])
    stage.check(f"slots busy {workers * slots} of {workers * slots}", most, most == workers * slots)
    stage.check(f"all done in <= {3 * ideal:.1f} s (ideal {ideal:.1f} s)", f"{took:.1f} s", took <= 3 * ideal)
    await invariants.hold(stage)


@scenario("r26-news", "a workflow whose messages are lost")
async def lost_news(stage: Stage) -> None:
    """Its subscriptions are cut all the while."""
    stage.fleet.settings = SETTINGS
    await stage.workers(2)
    steps = stage.size(200, 40)
    began = time.monotonic()
    result: Result = await chain(work.si(f"step {n}", NAP_S) for n in range(steps)).delay()
    waiting = asyncio.create_task(result.get(timeout=120))
    while not waiting.done():
        await stage.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(stage.rng.uniform(0, 0.1))
    await waiting
    took = time.monotonic() - began
    limit = steps * NAP_S + 30
    stage.check(f"{steps} steps <= {limit:.0f} s", f"{took:.1f} s", took <= limit)
    await invariants.hold(stage)

"""r13, r26: many workflows on few slots, and workflows whose worker fails at each of their steps."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections.abc import Callable

from jobs import Result, chain, chord, group
from jobs.canvas import Node
from tests.chaos import crashing, invariants
from tests.chaos.crashing import FAULTS, POINTS, body, fuse_of, parent
from tests.chaos.fleet import WorkerProcess
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage
from tests.chaos.tasks import work

LEASE_S = 2.0
STOPPED_S = LEASE_S * 40 / 15
REDIS_AWAY_S = 0.5
GRACE_S = 6
"""For so long after the first worker ever has come nobody takes over anything: see alive.lua."""
NAP_S = 0.05
SETTINGS = f"{crashing.__name__}.WorkerSettings"
IN_A_BODY = {"body begun", "body acted"}
AFTER_A_STEP = {"before send 2", "after send 2"}


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


SHAPES: dict[str, tuple[Callable[[str], Node], int, set[str]]] = {
    "group": (a_group, 5, IN_A_BODY | AFTER_A_STEP),
    "chain": (a_chain, 4, IN_A_BODY),
    "chord": (a_chord, 6, set()),
    "nested": (nested, 8, set()),
}
"""How it is made, its number of tasks, and the points that it has not."""


def killed_in_every_stage(shape: str) -> Callable[[Stage], object]:
    async def play(stage: Stage) -> None:
        make, size, without = SHAPES[shape]
        cases = [(point, how) for point in POINTS if point not in without for how in FAULTS]
        if stage.short:
            cases = random.Random(f"{shape} {stage.rng.random()}").sample(cases, 4)
        await at_each_point(stage, make, size, cases * stage.size(20, 1))

    return play


for shape in SHAPES:
    title = f"{shape}: its worker or Redis fails at each step"
    scenario(f"r26-{shape}", title)(killed_in_every_stage(shape))  # type: ignore[arg-type]


async def at_each_point(
    stage: Stage, make: Callable[[str], Node], size: int, cases: list[tuple[str, str]]
) -> None:
    stage.fleet.settings = SETTINGS
    await stage.workers(2, CHAOS_LEASE=str(LEASE_S))
    await asyncio.sleep(GRACE_S)
    wrong: list[str] = []
    slowest, where = 0.0, ""
    for number, (point, how) in enumerate(cases):
        key = f"{number} {point} {how}"
        took, what = await one_case(stage, key, make(key), size, point, how)
        wrong += [f"{key}: {text}" for text in what]
        slowest, where = max((slowest, where), (took, f"{point}, {how}"))
    stage.check(
        f"{len(cases)} crashes: every workflow ends well, each step acts once", wrong[:5] or "all", not wrong
    )
    stage.check(
        "again only what its process did not live to record", repeated(stage) or "none", not repeated(stage)
    )
    limit = LEASE_S + 2 + 8 * NAP_S
    stage.check(f"ends <= {limit:.1f} s after the fault", f"{slowest:.1f} s ({where})", slowest <= limit)
    await invariants.quiet(stage)
    await invariants.nothing_left(stage)


async def one_case(
    stage: Stage, key: str, node: Node, size: int, point: str, how: str
) -> tuple[float, list[str]]:
    """Seconds from the fault to the result, and what was not as it must be."""
    plan = {"point": point, "how": how, "redis": stage.server.pid}
    fuse = fuse_of(stage.folder)
    fuse.with_name("new").write_text(json.dumps(plan))
    fuse.with_name("new").rename(fuse)
    before = len(stage.oracle.read().notes)
    result: Result = await node.delay()
    try:
        await stage.until(lambda: not fuse.exists(), f"{key} to be reached", 10)
    except TimeoutError:
        fuse.unlink(missing_ok=True)
        return 0, ["was never reached"]
    began = time.monotonic()
    await stage.until(lambda: len(stage.oracle.read().notes) > before, "the fault", 5)
    victim = next(worker for worker in stage.fleet.all if worker.pid == stage.oracle.notes[-1][1])
    healing = asyncio.create_task(heal(stage, victim, how))
    try:
        await result.get(timeout=40)
    except Exception as error:
        return time.monotonic() - began, [repr(error)]
    finally:
        took = time.monotonic() - began
        await healing
    stage.oracle.read()
    keys = [name for name in stage.oracle.runs if name.startswith(f"{key} ")]
    acted = sum(stage.oracle.effects(name) >= 1 for name in keys)
    return took, [] if acted == len(keys) == size else [f"{acted} of {size} steps acted"]


async def heal(stage: Stage, victim: WorkerProcess, how: str) -> None:
    """Afterwards there is a Redis and there are two workers."""
    if how == "Redis":
        await asyncio.sleep(REDIS_AWAY_S)
        stage.server.kill9()  # it is dead; its process is still to be waited for
        stage.server.start()
    elif how == "SIGSTOP":
        await asyncio.sleep(STOPPED_S)
        victim.send(signal.SIGCONT)
        await asyncio.sleep(1)
    else:
        await stage.workers(1, CHAOS_LEASE=str(LEASE_S))
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

"""r5, r6: workers that live but do not answer."""

from __future__ import annotations

import asyncio
import signal

from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r5", "a zombie wakes up after its lease")
async def zombie(stage: Stage) -> None:
    """One job's new owner has finished when the zombie wakes, the other's is still at it."""
    stopped_s = stage.size(40, 22)
    [zombie] = await stage.workers(1)
    await stage.send("finished", 2)
    await stage.send("running", stopped_s)
    await stage.until_started("finished")
    await stage.until_started("running")
    zombie.send(signal.SIGSTOP)
    await stage.workers(2)
    await asyncio.sleep(stopped_s)
    taken_over = stage.oracle.read().started("finished") == stage.oracle.started("running") == 2
    zombie.send(signal.SIGCONT)
    await stage.until(lambda: "another worker" in zombie.log, "the zombie to notice", 15)
    await stage.until_all_acted(stopped_s + 30)
    results = [await stage.acked[key].get(timeout=stopped_s + 30) for key in ("finished", "running")]

    stage.check("both taken over while it was stopped", taken_over, taken_over)
    stage.check("the new owner's results stand", results, all(r.endswith("attempt 2") for r in results))
    stage.check("nothing ran a third time", "", all(stage.oracle.read().started(k) == 2 for k in stage.acked))
    stage.check("the zombie lives on", zombie.alive, zombie.alive)
    # Its timer had run out while it was stopped: it may act before it can learn that it lost. It cannot record it.
    await invariants.hold(stage, duplicates=2, overlaps=2)


@scenario("r6", "a job blocks the event loop")
async def blocked_loop(stage: Stage) -> None:
    """Longer than a lease: a thread renews it."""
    seconds = stage.size(40, 20)
    first, second = await stage.workers(2)
    await stage.send("block", seconds, task=tasks.block)
    await stage.until_all_acted(seconds + 30)
    await stage.acked["block"].get(timeout=10)

    starts = stage.oracle.started("block")
    stage.check("started once", starts, starts == 1)
    log = first.log + second.log
    said = "event loop is blocked" in log and "time.sleep" in log
    stage.check("the log says where it blocks", said, said)
    await invariants.hold(stage)


@scenario("r6-stuck", "a job blocks the event loop for good", short=False)
async def stuck_loop(stage: Stage) -> None:
    """The process gives itself up after 60 s; the job runs elsewhere, three times at most."""
    first, second = await stage.workers(2)
    await stage.send("block", 75, task=tasks.block)
    await stage.until(lambda: not (first.alive and second.alive), "the blocked worker to give itself up", 75)
    await stage.until_started("block", times=2, timeout_s=30)

    said = "giving up" in first.log + second.log
    stage.check("it says why it ends", said, said)

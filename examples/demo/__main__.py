"""Send the jobs, kill a worker of each library every 2 s until Quarq has done them, and count."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from app.embedded.supervisor import only_one, redis
from examples.demo import quarq, stock
from examples.demo.side import Side
from jobs import Result, connect
from settings import Settings

KILL_EVERY_S, MAX_S = 2, 90
IDLE_S = 3
"""arq is idle if it has done no job for this long. A job takes 0.05 s, and arq polls at the same interval."""


async def demo(jobs: int) -> bool:
    """Run the demo. Returns whether Quarq has done every job, and its workflow has the right result."""
    async with two_sides() as (ours, arq):
        print(f"{jobs:,} jobs for each library; Quarq has a workflow of {quarq.MEMBERS + 1} tasks as well")
        await asyncio.gather(ours.start(), arq.start())
        workflow, _ = await asyncio.gather(quarq.send(ours.redis_url, jobs), stock.send(arq.redis_url, jobs))
        seconds = await kill_until_done(ours, arq)
        await until_idle(arq)
        right = await result_of(ours, workflow) == sum(n * n for n in range(quarq.MEMBERS))

        stuck, counted, wanted = await arq.count(), await ours.count(), jobs + quarq.MEMBERS + 1
        print(f"arq {version('arq')}: {arq.killed} workers killed, {stuck.done:,} of {jobs:,} jobs done; "
              f"{stuck.unfinished:,} wait for up to 310 s, because their worker died")  # fmt: skip
        print(f"Quarq: {ours.killed} workers killed, {counted.done:,} of {wanted:,} done in {seconds:.0f} s; "
              f"{counted.cut_off:,} were cut off and ran again")  # fmt: skip
        print(f"The result of the workflow is {'right' if right else 'wrong'}")
        print(f"lost {wanted - counted.done:,}, done twice {counted.twice:,}")
        return right and counted.done == wanted


@asynccontextmanager
async def two_sides() -> AsyncIterator[tuple[Side, Side]]:
    """Run a Redis in a temporary folder, with a database for each library."""
    with tempfile.TemporaryDirectory(prefix="quarq-demo-") as folder:
        settings = Settings.from_env({"DATA_DIR": folder})
        with only_one(settings) as lock:
            async with redis(settings, lock):
                log = Path(folder) / "worker.log"
                ours = Side("examples.demo.quarq", f"{settings.redis_url}?db=0", log)
                arq = Side("examples.demo.stock", f"{settings.redis_url}?db=1", log)
                try:
                    yield ours, arq
                finally:
                    await asyncio.gather(ours.stop(), arq.stop())


async def kill_until_done(ours: Side, arq: Side) -> float:
    """Kill workers until Quarq has done all jobs. Returns how many seconds that took."""
    began = time.monotonic()
    while (counted := await ours.count()).unfinished and time.monotonic() - began < MAX_S:
        if time.monotonic() - began > (ours.killed + 1) * KILL_EVERY_S:
            await asyncio.gather(ours.kill_one(), arq.kill_one())
            print(
                f"{time.monotonic() - began:4.0f} s: killed one worker of each; Quarq: {counted.done:,} done",
                flush=True,
            )
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def until_idle(side: Side) -> None:
    """Wait, without kills, until the library does no more jobs. The rest does not wait for workers."""
    last, changed = await side.count(), time.monotonic()
    while last.unfinished and time.monotonic() - changed < IDLE_S:
        await asyncio.sleep(0.1)
        if (counted := await side.count()) != last:
            last, changed = counted, time.monotonic()


async def result_of(side: Side, workflow: str) -> object:
    async with connect(side.redis_url):
        return await Result(workflow).get(timeout=10, propagate=False)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(demo(int((sys.argv[1:] or ["2000"])[0]))) else 1)

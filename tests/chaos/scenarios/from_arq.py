"""r7-arq: stock arq workers and ours, started, stopped and killed at random, while a stock producer calls."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, SerializationError

from tests.chaos.fleet import ROOT
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

SHOP = ROOT / "examples" / "from_arq"
QUEUE = "shop:jobs"
WORKERS = 4


class Shop:
    """The shop of docs/from-arq.md, with workers of both kinds."""

    def __init__(self, stage: Stage) -> None:
        self.folder = stage.folder / "shop"
        for part in ("before", "during"):
            shutil.copytree(SHOP / part, self.folder, dirs_exist_ok=True)
        self._environ = os.environ | {"REDIS_URL": stage.url, "PYTHONPATH": f"{self.folder}{os.pathsep}{ROOT}"}
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.interrupted = 0

    def start(self, module: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "arq", f"shop.{module}.WorkerSettings"]
        with (self.folder / f"{module}.log").open("ab") as log:
            worker = subprocess.Popen(command, cwd=self.folder, env=self._environ, stdout=log, stderr=log)
        self.running.append((module, worker))

    async def stop(self, place: int, *, kill: bool = False) -> None:
        _, worker = self.running.pop(place)
        self.interrupted += 1
        worker.kill() if kill else worker.terminate()
        await asyncio.to_thread(worker.wait)

    async def stop_all(self, module: str) -> None:
        for place in reversed([n for n, (kind, _) in enumerate(self.running) if kind == module]):
            await self.stop(place)


@scenario("r7-arq", "stock arq workers beside ours, both killed", short=False)
async def beside_arq(stage: Stage) -> None:
    shop = Shop(stage)
    sys.path.insert(0, str(shop.folder))
    address = RedisSettings.from_dsn(stage.url)
    pool = await create_pool(address, default_queue_name=QUEUE)
    called: list[str] = []
    sending = asyncio.create_task(keep_calling(pool, called))
    for module in ("worker", "exchange") * (WORKERS // 2):
        shop.start(module)
    for _ in range(stage.size(40, 5)):
        await asyncio.sleep(stage.rng.uniform(0.5, 2))
        await shop.stop(stage.rng.randrange(WORKERS), kill=stage.rng.random() < 0.5)
        shop.start(stage.rng.choice(("worker", "exchange")))
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await shop.stop_all("worker")
    shop.start("exchange")
    for key in [key async for key in stage.redis.scan_iter("arq:in-progress:*")]:
        if await stage.redis.get(key) == "1":  # of a stock worker that was killed: arq waits for 70 s here
            await stage.redis.delete(key)
    for _ in range(600):
        if all(job_id.startswith("cron:") for job_id in await stage.redis.zrange(QUEUE, 0, -1)):
            break
        await asyncio.sleep(0.1)
    await shop.stop_all("exchange")
    await hold(stage, pool, called, shop)
    await pool.aclose()


async def keep_calling(pool: ArqRedis, called: list[str]) -> None:
    from shop.orders import Order  # type: ignore[import-not-found]

    for n in range(10**6):
        kinds: dict[str, tuple[Any, ...]] = {
            f"receipt:{n}": ("send_receipt", Order(n)),
            f"charge:{n}": ("charge", Order(n, declines=n % 3)),
            f"catalogue:{n}": ("import_catalogue", f"c{n}", 2),
            f"export:{n}": ("export", 0.5),
        }
        for job_id, call in kinds.items():
            await pool.enqueue_job(*call, _job_id=job_id, _defer_by=n % 2)
            called.append(job_id)
        await asyncio.sleep(0.05)


async def hold(stage: Stage, pool: ArqRedis, called: list[str], shop: Shop) -> None:
    """What a stock worker was in when it was stopped, and what ours was in when it was killed, may be done twice."""
    done = {job_id: int(n) for job_id, n in (await stage.redis.hgetall("shop:done")).items()}
    starts = {job_id: int(n) for job_id, n in (await stage.redis.hgetall("shop:starts")).items()}
    pages = [f"page:c{job_id.rpartition(':')[2]}:{n}" for job_id in called if "catalogue" in job_id for n in range(2)]
    lost = [job_id for job_id in (*called, *pages) if not done.get(job_id)]
    stage.check("no job is lost", f"{len(lost)} of {len(called) + len(pages):,}: {lost[:3]}", not lost)
    twice = [one for one in (*called, *pages) if done.get(one, 0) > 1 and starts[one] <= needed(one)]
    stage.check("twice only what was interrupted", f"{len(twice)}: {twice[:3]}", not twice)
    cron = Counter(n for job_id, n in done.items() if job_id.startswith("cron:"))
    stage.check("a moment runs once", f"{dict(cron)}, {shop.interrupted} stops", sum(cron.values()) - cron[1] <= 2)
    unread = []
    for job_id in called:
        try:
            await Job(job_id, pool, QUEUE).result(timeout=5)
        except (SerializationError, TimeoutError, RuntimeError) as error:
            unread.append((job_id, repr(error)))
    exhausted = [one for one in unread if "max" in one[1]]
    stage.check("a stock producer reads each result", f"{unread[:3]}, {len(exhausted)}", len(unread) == len(exhausted))


def needed(job_id: str) -> int:
    kind, _, number = job_id.partition(":")
    return int(number) % 3 + 1 if kind == "charge" else 1

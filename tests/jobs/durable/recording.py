"""`python -m tests.jobs.durable.recording`: what Redis holds of a job that sleeps, written to recorded.json.

A file that is there is never written again: it is what that release has stored. Later code continues it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from arq.worker import create_worker

from jobs import CurrentJob, connect, task, worker_settings
from jobs.client.connection import JobsRedis
from tests.jobs.durable.durable_tasks import Declined, child, decline, note
from tests.redis_server import RedisServer
from tests.waiting import wait_until

FILE = Path(__file__).with_name("recorded.json")
JOB_ID = "recorded:1"
DAYS = 3


@task(name="durable.recorded", bind=True, raises=(Declined,))
async def recorded(self: CurrentJob) -> list[Any]:
    done: list[Any] = [await self.step("charge", note, "paid")]
    done += [await self.step("row", note, f"row {n}", key=n) for n in (1, 2)]
    done += [await self.step("word", note, word) for word in ("a", "b")]
    try:
        await self.step("gift", decline, "no gift")
    except Declined as error:
        done.append(str(error))
    done.append(await self.run(child.s("label")))
    done.append(await self.wait_for_event("approval"))
    await self.sleep(DAYS * 86_400)
    return done


async def record(url: str) -> None:
    async with connect(url) as redis:
        settings = worker_settings(redis_url=url, tasks=[recorded, child], handle_signals=False)
        worker = create_worker(settings)
        running = asyncio.create_task(worker.main())
        result = await recorded.apply_async((), task_id=JOB_ID)
        await result.send_event("approval", {"by": "ann"})
        sleeps = f"{redis.key.STEPS}{JOB_ID}"
        await wait_until(lambda: redis.hexists(sleeps, "sleep:sleep"), "it to sleep")
        await wait_until(lambda: redis.hexists(redis.key.RECORD + JOB_ID, "parked"), "it to be parked")
        kept = {name: await redis.hgetall(key) for name, key in keys_of(redis).items()}  # type: ignore[misc]
        payload = await redis.get(redis.key.JOB + JOB_ID)
        shown = {name: {field.hex(): one.hex() for field, one in fields.items()} for name, fields in kept.items()}
        FILE.write_text(json.dumps({"payload": payload.hex(), **shown}, indent=1) + "\n")
        await worker.close()
        await asyncio.gather(running, return_exceptions=True)


def keys_of(redis: JobsRedis) -> dict[str, str]:
    key = redis.key
    return {"record": key.RECORD + JOB_ID, "steps": key.STEPS + JOB_ID, "journal": key.JOURNAL + JOB_ID}


async def restore(redis: JobsRedis) -> None:
    """The job as it was recorded, due now."""
    kept = json.loads(FILE.read_text())
    await redis.set(redis.key.JOB + JOB_ID, bytes.fromhex(kept["payload"]))
    for name, key in keys_of(redis).items():
        fields = {bytes.fromhex(field): bytes.fromhex(one) for field, one in kept[name].items()}
        await redis.hset(key, mapping=fields)  # type: ignore[misc, arg-type]
    await redis.sadd(redis.key.QUEUES, "default")  # type: ignore[misc]
    await redis.zadd(redis.key.QUEUE, {JOB_ID: 0})


if __name__ == "__main__":
    if FILE.exists():
        raise SystemExit(f"{FILE} is what a release has stored")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder)).start()
        asyncio.run(record(server.url))
        server.stop()

"""How long the monitor looks with 1,000,000 deferred and 100,000 ended jobs in Redis, and how long it keeps Redis."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from jobs import connect, group, monitor, monitor_site, signature
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.bench.rig import Rig
from tests.bench.subjects import OURS, Subject
from tests.bench.table import Figures, Target, at_most

SUBJECTS = (OURS,)
DEFERRED, ENDED, MEMBERS = 1_000_000, 100_000, 10_000
TASKS = 20
TIMES = 9
SCRIPT = "monitor: the longest that one script kept Redis, ms"

FILL = f"""
local first, n, ended, payload = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000
for i = first, first + n - 1 do
  local id = string.format('%08x%024x', i * 7919 % 4294967296, i)
  local task = 'bench.' .. i % {TASKS}
  local record = 'jobs:job:' .. id
  redis.call('HSET', record, 'task', task, 'queue', 'default', 'enqueued', now, 'due', now + i * 60, 'reply', 'x')
  if ended then
    local state = i % 10 == 0 and 'FAILURE' or 'SUCCESS'
    redis.call('HSET', record, 'state', state, 'worker', 'w' .. i % 3, 'attempts', 1, 'received', now - i, 'finished',
      now - i * 30, 'until', now + 86400000, 'run', 12)
    redis.call('SET', 'arq:result:' .. id, payload)
    redis.call('ZADD', 'jobs:history', now - i * 30, id)
    redis.call('ZADD', 'jobs:ended:' .. task, now - i * 30, id)
    if state ~= 'SUCCESS' then redis.call('ZADD', 'jobs:unsuccessful', now - i * 30, id) end
  else
    redis.call('SET', 'arq:job:' .. id, payload)
    redis.call('ZADD', 'arq:queue', now + 60000 + i * 60, id)
  end
end
"""

Look = Callable[[JobsRedis], Awaitable[Any]]

LOOKS: dict[str, Look] = {
    "overview": monitor_site.overview,
    "history 72h": lambda redis: monitor_site.history(redis, monitor_site.RANGES["72h"]),
    "tasks": monitor_site.tasks,
    "queues": monitor.queues,
    "jobs, all": monitor.find,
    "jobs, ended": lambda redis: monitor.find(redis, state="ended"),
    "jobs, scheduled": lambda redis: monitor.find(redis, state="scheduled"),
    "jobs, one task's failures": lambda redis: monitor.find(redis, state="FAILURE", task="bench.10"),
    "jobs, one worker's": lambda redis: monitor.find(redis, worker="w1"),
    "jobs, a text that is nowhere": lambda redis: monitor.find(redis, text="浇水"),
    "jobs, a text that is nowhere, ended": lambda redis: monitor.find(redis, text="浇水", state="ended"),
    "jobs, a text that is everywhere": lambda redis: monitor.find(redis, text="浇花"),
    "jobs, by id": lambda redis: monitor.find(redis, text=f"{7919:08x}{1:024x}"),
    "jobs, retries among the deferred": lambda redis: monitor.find(redis, state="RETRY"),
    "a workflow of 10,000": lambda redis: monitor_site.timeline(redis, "large"),
    "workflows": monitor_site.workflows,
    "broker": monitor.broker,
}

TARGETS = (
    *(Target(f"monitor: {name}, ms", "<= 100 ms", at_most(OURS, 100)) for name in LOOKS),
    Target(SCRIPT, "<= 20 ms", at_most(OURS, 20)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig))


async def _measure(rig: Rig) -> Figures:
    async with connect(rig.url) as redis:
        await fill(redis)
        rig.redis.config_set("slowlog-log-slower-than", 5_000)
        rig.redis.slowlog_reset()
        figures = {f"monitor: {name}, ms": await _time(redis, look) for name, look in LOOKS.items()}
        scripts = [entry["duration"] for entry in rig.redis.slowlog_get(128) if b"EVAL" in entry["command"].upper()]
        figures[SCRIPT] = max(scripts, default=0) / 1000
        return figures


async def _time(redis: JobsRedis, look: Look) -> float:
    """The median of a few times, in ms."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await look(redis)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


async def fill(redis: JobsRedis) -> None:
    """All those jobs, and counters of an hour."""
    call = {"t": None, "f": "bench.0", "a": [7, "明天早上浇花"], "k": {"note": "x" * 60}, "et": 1}
    for n, ended in ((DEFERRED, 0), (ENDED, 1)):
        payload = redis.dumps(call | ({"s": True, "r": None} if ended else {}))
        for first in range(1 + ended * DEFERRED, 1 + ended * DEFERRED + n, 5_000):
            await redis.eval(FILL, 0, first, 5_000, ended, payload)  # type: ignore[misc]
    await redis.sadd(Keys.QUEUES, *(f"queue-{n}" for n in range(10)))  # type: ignore[misc]
    minute = int(time.time() / 60)
    for past in range(60):
        whats = ("SUCCESS", *(f"run|{bucket}" for bucket in range(12)))
        counts = {f"bench.{n}|{what}": 5 for n in range(TASKS) for what in whats}
        await redis.hset(f"{Keys.STATS}{minute - past}", mapping=counts)  # type: ignore[misc]
    flow = group(signature("bench.0", (n, "明天")) for n in range(MEMBERS))
    await flow.apply_async(task_id="large", eta=None, countdown=timedelta(days=1).total_seconds())
    members = {str(n): b"S" + redis.dumps({"s": True, "r": n}) for n in range(MEMBERS - 100)}
    await redis.hset(f"{Keys.JOURNAL}large", mapping=members)  # type: ignore[misc]

"""Holds what is in Redis against the keys of jobs/store/keys.py: no other key, and nothing ended that stays."""

from __future__ import annotations

import inspect
import re

from redis.asyncio import Redis

from jobs.store.keys import Keys

CHANNELS = (Keys.REPLY, Keys.CONTROL, Keys.PROGRESS, Keys.NEWS, Keys.EVENTS, Keys.ENDS)
TERMINAL = {b"SUCCESS", b"FAILURE", b"REVOKED"}
HAVE_A_LIFETIME = ("arq:in-progress:", "jobs:stats:", "jobs:errors:", "jobs:worker:")


def table() -> dict[re.Pattern[str], str]:
    """The documented keys as patterns, each with the type that Redis must say."""
    found = {}
    for line in inspect.getsource(Keys).splitlines():
        named = re.match(r'    [A-Z_]+ = "((?:arq|jobs):[^"]+)"\s+# (<\w+>)?\s+(\w+)', line)
        if match := named or re.match(r"    # (arq:\S+)()\s+(\w+)", line):
            kind = match[3] if match[3] in ("zset", "hash", "set", "list", "stream") else "string"
            name = match[1] + (match[2] or "")
            pattern = "".join(".+" if part.startswith("<") else re.escape(part) for part in _parts(name))
            found[re.compile(pattern, re.DOTALL)] = kind
    return found


def _parts(name: str) -> list[str]:
    return re.findall(r"<\w+>|[^<]+", name)


async def assert_as_documented(redis: Redis) -> None:
    """Fails naming each key that is not in the table, is of another type, or should have ended."""
    documented = table()
    assert len(documented) > 20
    wrong = []
    for raw in sorted(await redis.keys()):
        key = raw.decode()
        kind = (await redis.type(raw)).decode()
        # the most particular pattern counts: arq:queue:health-check is no queue
        fitting = max((p for p in documented if p.fullmatch(key)), key=lambda p: len(p.pattern), default=None)
        if fitting is None:
            wrong.append(f"{key} ({kind}) is not in the table")
        elif documented[fitting] != kind:
            wrong.append(f"{key} is a {kind}, the table says {documented[fitting]}")
        if key.startswith(HAVE_A_LIFETIME) and await redis.ttl(raw) == -1:
            wrong.append(f"{key} has no lifetime")
    wrong += await _left_by_ended_jobs(redis)
    if wrong:
        raise AssertionError("\n".join(wrong))


async def _left_by_ended_jobs(redis: Redis) -> list[str]:
    wrong = []
    for record in await redis.keys(f"{Keys.RECORD}*"):
        if await redis.hget(record, "state") not in TERMINAL:
            continue
        job_id = record.decode().removeprefix(Keys.RECORD)
        gone = (Keys.JOB, Keys.IN_PROGRESS, Keys.RETRY, Keys.WAITERS)
        wrong += [f"{key}{job_id} stays though the job has ended" for key in gone if await redis.exists(key + job_id)]
        for key in (Keys.TREE, Keys.JOURNAL):
            if await redis.exists(key + job_id) and await redis.ttl(key + job_id) == -1:
                wrong.append(f"{key}{job_id} has no lifetime though the workflow has ended")
        if await redis.zscore(Keys.HISTORY, job_id) is None:
            wrong.append(f"{job_id} has ended and is not in the history, which bounds its record")
        for leases in await redis.keys(f"{Keys.LEASES}*"):
            if await redis.zscore(leases, job_id) is not None:
                wrong.append(f"{job_id} has ended and is still in {leases.decode()}")
    for key in await redis.keys(f"{Keys.UNIQUE}*"):
        state = await redis.hget(Keys.RECORD + (await redis.get(key)).decode(), "state")
        if state in TERMINAL and await redis.ttl(key) == -1:
            wrong.append(f"{key.decode()} stays though its job has ended")
    return wrong

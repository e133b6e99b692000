"""Limits of tasks and of their keys while jobs run: what counts, what is set, who waits; and how they are changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgpack

from ...client.connection import JobsRedis
from ...errors import UnknownTask, WrongValue
from ...store.store import now_ms
from ...store.stored_values import text, whole
from ...tasks import registry
from ...tasks.declarations import known_tasks
from ...tasks.limits import key_of, names_of
from ...tasks.rate_limit import WINDOWS_MS, stored_rate
from ...values import checks
from ...values.calls import awaited

MOST = 100  # Keys that are listed.
DIGEST = re.compile("#[0-9a-f]{32}")
SET_OF_TASK = {"rate": "override", "holders": "most", "paused": "paused"}
"""What an operator sets of a task, in `jobs:limits`; of a key it has the first names, in `jobs:overrides:<task>`."""


@dataclass(frozen=True)
class LimitInfo:
    """The limits that count for a task, or for a key of it, and who runs and waits."""

    task: str
    key: str  # As Redis has it, `tenant_id=7`; '' for all jobs of the task.
    rate_limit: str  # `10/s`, `5/m`; '' for none.
    max_concurrency: int | None  # While it is paused too.
    changed: bool  # One is set here, and counts instead of the declared one.
    paused: bool
    running: int
    waiting: int

    @property
    def shown(self) -> str:
        return shown_key(self.key)

    @property
    def line(self) -> str:
        no_most = "any number at a time" if self.rate_limit else "no limit"
        most = no_most if self.max_concurrency is None else f"{self.max_concurrency:,} at a time"
        limits = ", ".join(filter(None, [self.rate_limit, most, "set here" * self.changed, "PAUSED" * self.paused]))
        return f"{self.shown or 'all jobs'}: {limits}; {self.running:,} run, {self.waiting:,} wait"


def shown_key(key: str) -> str:
    """`region=eu, tenant_id=7`"""
    return ", ".join(map(unquote, key.split("&"))) if key else ""


def declared_text(names: str, limits: tuple[str, int | None]) -> str:
    """`per tenant_id: 10/m, 2 at a time`"""
    rate, most = limits
    words = ", ".join(filter(None, [rate_text(rate), f"{most:,} at a time" if most else ""]))
    return f"per {names.replace('&', ' and ')}: {words or 'no limit until one is set'}"


async def families(connection: JobsRedis, task: str) -> dict[str, tuple[str, int | None]]:
    """What a task declares by key: names of parameters -> the rate and the number that it has for each of them."""
    stored = await connection.hget(connection.key.LIMITS, f"{task}|keyed")  # type: ignore[misc]
    try:
        found = {names: (rate, whole(most) or None) for names, rate, most in msgpack.unpackb(stored or b"\x90")}
    except (ValueError, TypeError):  # damaged
        found = {}
    known = registry.find(task)
    of_code = known.options.limit_keys if known is not None else ()
    return {names_of(per): ("", None) for per in of_code} | found


async def key_for(connection: JobsRedis, task: str, values: Mapping[str, Any]) -> str:
    """The key of these values; '' for none. WrongValue: the task has no limit by them."""
    checks.name("task", task)
    names = names_of(sorted(values))
    if not names:
        return ""
    known = await families(connection, task)
    if names not in known:
        if not known and registry.find(task) is None and task not in (workers := await known_tasks(connection)):
            raise UnknownTask(
                f"no worker has declared a task {checks.shown(task)}; {checks.hint(task, [*workers] or ['none yet'])}"
            )
        there = "; ".join(f"per {one.replace('&', ' and ')}" for one in known) or "none by key"
        raise WrongValue(f"{task} has no limit per {' and '.join(sorted(values))}; it has {there}")
    return key_of(sorted(values), values)


@awaited
async def set_limit(connection: JobsRedis, task: str, key: str, most: str | int | None) -> None:
    """How many run at a time (5) or start in a time ("10/s") from now on, for all workers; None: what is declared."""
    if most is None:
        return await say(connection, task, key, rate="-", holders="-")
    if isinstance(most, str):
        if "/" not in most:
            raise checks.refusal(WrongValue, "most", most, 'a number (at a time), or a rate with its time: "10/s"')
        return await say(connection, task, key, rate=stored_rate(most))
    await say(connection, task, key, holders=str(checks.count("most", most, least=1)))


@awaited
async def pause_limit(connection: JobsRedis, task: str, key: str) -> None:
    """Start no more of them until `resume_limit`; what runs goes on, and what is set stays."""
    await say(connection, task, key, paused="1")


@awaited
async def resume_limit(connection: JobsRedis, task: str, key: str) -> None:
    await say(connection, task, key, paused="-")


async def say(connection: JobsRedis, task: str, key: str, **said: str) -> None:
    """Store these limits; '-' takes one back. It is repeated until all who wait know."""
    words = [word for what, value in said.items() for word in (what if key else SET_OF_TASK[what], value)]
    while await connection.run_script("set_limits", checks.name("task", task), key, *words):
        pass


@awaited
async def limit_list(connection: JobsRedis, task: str, key: str | None = None) -> list[LimitInfo]:
    """Those of a task, and of MOST of its keys at most: where most jobs wait, then those that are set. With *key*: of
    this one alone."""
    if key is not None:
        return await _infos(connection, task, [key])
    waiting = map(text, await connection.zrange(connection.key.WAITING + task, 0, MOST - 1, desc=True))
    _, some = await connection.hscan(connection.key.OVERRIDES + task, 0, count=MOST)
    are_set = (text(field).rpartition("|")[0] for field in some)
    listed = [*dict.fromkeys([*waiting, *sorted(are_set)])][:MOST]
    return await _infos(connection, task, ["", *listed])


async def _infos(connection: JobsRedis, task: str, of: list[str]) -> list[LimitInfo]:
    own = [f"{task}|{what}" for what in ("rate", "holders", *SET_OF_TASK.values())]
    rate, most, *of_task = await connection.hmget(connection.key.LIMITS, own)  # type: ignore[misc]
    ms = await now_ms(connection)
    declared = await families(connection, task) | {"": (text(rate), whole(most) or None)}
    async with connection.pipeline(transaction=False) as pipe:
        for key in of:
            bucket = f"{task}|{key}" if key else task
            pipe.hmget(connection.key.OVERRIDES + task, [f"{key}|{what}" for what in SET_OF_TASK])
            pipe.scard(connection.key.HOLDERS + bucket)
            pipe.zcard(connection.key.BLOCKED + bucket)
            pipe.zcount(connection.key.PLACES + bucket, f"({ms}", "+inf")  # others wait for something wider
        found = await pipe.execute()
    rows = zip(of, found[::4], found[1::4], found[2::4], found[3::4], strict=True)
    return [
        _info(task, key, declared, given if key else of_task, running, blocked + placed)
        for key, given, running, blocked, placed in rows
    ]


def _info(task: str, key: str, declared: Any, given: list[bytes | None], running: int, waiting: int) -> LimitInfo:
    rate, most = declared.get(names_of_key(key), ("", None))
    counts = (rate_text(rate if given[0] is None else text(given[0])), most if given[1] is None else whole(given[1]))
    return LimitInfo(
        task, key, *counts, any(one is not None for one in given[:2]), given[2] is not None, running, waiting
    )


def names_of_key(key: str) -> str:
    return "&".join(part.partition("=")[0] for part in key.split("&"))


@awaited
async def limit_key(connection: JobsRedis, task: str, typed: str) -> str:
    """The key that somebody has typed, `tenant_id=7`, or that a page had: several values with & or commas between them.
    WrongValue: it is none."""
    parts = [part.strip().partition("=") for part in typed.replace(",", "&").split("&")] if typed.strip() else []
    if not all(equals for _, equals, _ in parts):
        raise checks.refusal(WrongValue, "key", typed, "the parameters of a limit with their values: tenant_id=7")
    digests = {name: value for name, _, value in parts if DIGEST.fullmatch(value)}
    key = await key_for(connection, task, {name: unquote(value) for name, _, value in parts})
    return "&".join(
        f"{name}={digests.get(name, value)}" for name, _, value in (one.partition("=") for one in key.split("&") if one)
    )


@awaited
async def change_limit(connection: JobsRedis, task: str, key: str, limit: str) -> None:
    """As people type it: `10/s`, `5`, '' for what is declared, `pause` or `resume`."""
    if limit in ("pause", "resume"):
        return await (pause_limit if limit == "pause" else resume_limit)(connection, task, key)
    is_number = limit.isascii() and limit.isdecimal() and len(limit) < 20
    await set_limit(connection, task, key, int(limit) if is_number else limit or None)


async def keys_of_job(connection: JobsRedis, task: str, job_id: str) -> list[str]:
    """The keys of a job in the limits of its task, the last is '', of all its jobs."""
    stored = await connection.hget(connection.key.RECORD + job_id, "keys")  # type: ignore[misc]
    return [*filter(None, text(stored or b"").split("|")), ""]


def rate_text(stored: str) -> str:
    """`10/s` of what Redis holds of a rate, `10 1000`; '' is no limit, and what scripts take for none."""
    found = re.fullmatch(r"([0-9.e+-]{1,40}) ([0-9]{1,18})", stored)
    if found is None:
        return ""
    window = int(found[2])
    unit = next((unit for unit, ms in WINDOWS_MS.items() if ms == window), f"{window / 1000:g}s")
    return f"{found[1]}/{unit}"

"""Stores a schedule, or changes it: imported when somebody puts one. Workers fire it, see due.lua."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..client.connection import JobsRedis
from ..client.submit import calls_of
from ..errors import WrongValue
from ..schedules.schedule import Schedule, crontab, every
from ..store.call import Call, packed_key
from ..store.stored_values import moment_of
from ..tasks.declarations import declared
from ..values import checks, sendable
from ..workflows.canvas import Node
from ..workflows.task_table import NOTHING, strangers

OVERLAPS = ("skip", "queue", "cancel", None)
LEAST_PERIOD = timedelta(seconds=1)
_MS = timedelta(milliseconds=1)
logger = logging.getLogger("jobs.schedules")


async def put(
    connection: JobsRedis, name: str, call: Node, when: Schedule, overlap: str | None, jitter: float | timedelta
) -> datetime:
    """See `schedules.put`."""
    checks.name("name", name)
    when = _checked_moments(when)
    if overlap not in OVERLAPS:
        raise checks.refusal(WrongValue, "overlap", overlap, "'skip', 'queue', 'cancel' or None")
    delay_ms = int(checks.seconds("jitter", jitter, least=0) * 1000)
    kept = await _kept(connection, name, call)
    facts = {"overlap": overlap or "", "window": when.window // _MS, "task": kept.task, "queue": kept.queue}
    stored = {"payload": kept.payload, "expires": kept.expires, "tree": kept.tree, "tree_name": kept.name}
    stored["unique"] = packed_key(kept.unique)
    words: list[Any] = [word for pair in (facts | stored).items() for word in pair]
    now = await connection.run_script("put", name, os.urandom(8).hex(), when.when, delay_ms, *words)
    if now is None:
        raise WrongValue(f"name={name!r}: a worker declares a schedule of this name in its cron_jobs; give another one")
    return when.next_after(moment_of(now))


async def _kept(connection: JobsRedis, name: str, node: Node) -> Call:
    """The call as it is kept: what fires it gives it an id and a time."""
    checks.of_class(Node, "a signature or a workflow, such as report.s(42)")("call", node)
    for option in ("task_id", "eta", "countdown"):
        if node.options.get(option) is not None:
            raise WrongValue(f"{option}= of the call of {name!r}: a schedule says when it runs, and under which id")
    pairs: list[tuple[Node, Mapping[str, Any]]] = [(node, {"task_id": "kept"})]
    unknown = strangers(pairs)
    known = await declared(connection, sorted(unknown)) if unknown else NOTHING
    if missing := sorted(set(unknown).difference(known)):
        logger.warning("schedule %s: no worker has declared %s: its jobs wait for one that does", name, missing[0])
    [call] = calls_of(connection, pairs, known)
    if call.expires[:1] not in ("", "+"):
        raise WrongValue(f"expires= of the call of {name!r}: give seconds; a time would end all its later runs")
    if (size := len(call.payload) + len(call.tree)) > connection.size_limit:
        raise sendable.too_large("the call takes", size, connection.size_limit)
    return call


def _checked_moments(when: Any) -> Schedule:
    """In UTC, if it has no zone: each worker has to read it in the same way."""
    what = "crontab(...) or every(...) without a task, such as crontab('0 8 * * 1-5')"
    if checks.of_class(Schedule, what)("when", when).task:  # type: ignore[type-abstract]
        raise checks.refusal(WrongValue, "when", when, f"{what}: the call says which task runs")
    if isinstance(when, every) and when.period < LEAST_PERIOD:
        raise checks.refusal(WrongValue, "when", when, "a period of at least a second")
    if isinstance(when, crontab):
        when = when.in_zone(UTC)
        if when.timezone is not UTC and not (isinstance(when.timezone, ZoneInfo) and when.timezone.key):
            raise checks.refusal(WrongValue, "timezone", when.timezone, "the name of a time zone, which can be stored")
    return when  # type: ignore[no-any-return]

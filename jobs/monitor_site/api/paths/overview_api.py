"""The whole at a glance: figures, minutes, the broker and the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ... import model, summary
from ...options import redis
from ...ranges import RANGES, Interval, history
from ..answers import Rows
from ..endpoints import read
from ..given import Cursor, Given, Limit, Within

Target = Annotated[str, Given("Only actions on this job, queue, task, worker or schedule.")]
Who = Annotated[str, Given("Only actions of this viewer.")]
Task = Annotated[str, Given("Only of this task; '' is all together.")]
INFO = {
    "uptime_s": "uptime_in_seconds", "memory_bytes": "used_memory", "memory_peak_bytes": "used_memory_peak",
    "memory_limit_bytes": "maxmemory", "eviction": "maxmemory_policy", "clients": "connected_clients",
    "commands_per_s": "instantaneous_ops_per_sec",
}  # fmt: skip


@dataclass(frozen=True)
class BrokerFigures:
    """What a Redis reports about itself. None: a managed one may leave it out."""

    name: str  # Redis or Valkey.
    version: str
    persistence: str  # `AOF`, `RDB`, `AOF and RDB` or `none`; `unknown` where it does not tell.
    keys: int
    warnings: list[str]  # What an operator should change.
    uptime_s: int | None
    memory_bytes: int | None
    memory_peak_bytes: int | None
    memory_limit_bytes: int | None  # 0: no limit.
    eviction: str | None  # `noeviction`, or what happens when memory is full.
    clients: int | None
    commands_per_s: int | None


@read("/overview")
async def overview() -> summary.Overview:
    """Figures of this moment and of the last hour: what is queued, what runs, and what is wrong."""
    return await summary.overview(redis())


@read("/minutes")
async def minutes(within: Within = "1h", task: Task = "") -> Rows[Interval]:
    """What was counted in each minute of the last hour, or in each longer interval of a longer time."""
    return Rows(await history(redis(), RANGES[within], task))


@read("/audit")
async def audit(
    target: Target = "", who: Who = "", cursor: Cursor = "", limit: Limit = 100
) -> model.Page[model.AuditEntry]:
    """Who did what, the newest first: the last 10,000 actions. A page of some is of the next 1,000 that there are."""
    return await model.audit(redis(), cursor, limit, target=target, who=who)


@read("/broker")
async def broker() -> BrokerFigures:
    """What Redis reports about itself, and what an operator should change."""
    found = await model.broker(redis())
    facts = {name: found.info.get(key) for name, key in INFO.items()}
    return BrokerFigures(found.name, found.version, found.persistence, found.keys, found.warnings, **facts)

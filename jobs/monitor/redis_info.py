"""The Redis itself: is it fit to keep jobs?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..client.connection import JobsRedis


@dataclass(frozen=True)
class Broker:
    """What a Redis reports about itself. Memory is in bytes, `uptime` in seconds."""

    name: str
    """Redis or Valkey."""
    version: str
    memory: int
    peak: int
    limit: int
    """0: none."""
    clients: int
    persistence: str
    """`AOF`, `RDB`, `AOF and RDB` or `none`."""
    uptime: int
    policy: str
    """What it does when its memory is full: `noeviction` keeps jobs."""
    keys: int
    per_s: int
    """Commands a second, just now."""
    warnings: list[str]


async def broker(connection: JobsRedis) -> Broker:
    """Its figures, and what an operator should change."""
    info: dict[str, Any] = await connection.info("all")
    valkey = info.get("valkey_version")
    ways, otherwise = ["AOF"] if info.get("aof_enabled") else [], "none"
    try:
        if (await connection.config_get("save")).get("save"):
            ways.append("RDB")
    except Exception:  # a managed Redis may forbid CONFIG
        otherwise = "unknown"
    found = Broker(
        name="Valkey" if valkey else "Redis",
        version=str(valkey or info.get("redis_version", "?")),
        memory=int(info.get("used_memory", 0)),
        peak=int(info.get("used_memory_peak", 0)),
        limit=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        persistence=" and ".join(ways) or otherwise,
        uptime=int(info.get("uptime_in_seconds", 0)),
        policy=str(info.get("maxmemory_policy", "?")),
        keys=sum(db["keys"] for name, db in info.items() if name.startswith("db") and isinstance(db, dict)),
        per_s=int(info.get("instantaneous_ops_per_sec", 0)),
        warnings=[],
    )
    found.warnings.extend(_warnings(found, info))
    return found


def _warnings(found: Broker, info: Mapping[str, Any]) -> Iterator[str]:
    if found.policy not in ("noeviction", "?"):
        yield (f"maxmemory-policy is {found.policy}: when memory is full, Redis throws jobs away. Set it to noeviction")
    if found.persistence == "none":
        yield "nothing is written to disk: a restart of Redis loses every job. Set appendonly yes"
    elif found.persistence == "RDB":
        yield "only snapshots are written: a crash loses what came after the last one. Set appendonly yes"
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield "the last write to disk failed: look at the disk, and at Redis' log"
    if found.limit and found.memory > 0.8 * found.limit:
        yield f"{found.memory / found.limit:.0%} of the memory limit is used: when it is full, calls are refused"
    if info.get("role") == "slave":
        yield "this is a replica: nothing can be written to it"
    major = str(info.get("redis_version", "7")).partition(".")[0]
    if not major.isdecimal() or int(major) < 7:
        yield f"Redis {found.version} is too old: at least Redis 7.0 or Valkey 7.2 is needed"

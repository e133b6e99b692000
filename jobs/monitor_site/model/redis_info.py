"""The Redis itself: is it fit to keep jobs?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...client.connection import JobsRedis


@dataclass(frozen=True)
class Broker:
    """What a Redis reports about itself, and what an operator should change."""

    name: str  # Redis or Valkey.
    version: str
    persistence: str  # `AOF`, `RDB`, `AOF and RDB` or `none`; `unknown` where it does not tell.
    keys: int
    info: Mapping[str, Any]
    """Its INFO: `used_memory`, `maxmemory_policy` and so on. A managed Redis may leave some out."""
    warnings: list[str]


async def broker(connection: JobsRedis) -> Broker:
    """Its figures, and what an operator should change."""
    info: dict[str, Any] = await connection.info("all")
    ways, otherwise = ["AOF"] if info.get("aof_enabled") else [], "none"
    try:
        if (await connection.config_get("save")).get("save"):
            ways.append("RDB")
    except Exception:  # a managed Redis may forbid CONFIG
        otherwise = "unknown"
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version", info.get("redis_version", "?")))
    persistence = " and ".join(ways) or otherwise
    keys = sum(db["keys"] for section, db in info.items() if section.startswith("db") and isinstance(db, dict))
    return Broker(name, version, persistence, keys, info, list(_warnings(info, version, persistence)))


def _warnings(info: Mapping[str, Any], version: str, persistence: str) -> Iterator[str]:
    policy, memory, limit = info.get("maxmemory_policy"), info.get("used_memory", 0), info.get("maxmemory", 0)
    if policy not in ("noeviction", None):
        yield f"maxmemory-policy is {policy}: when memory is full, Redis throws jobs away. Set it to noeviction"
    if persistence == "none":
        yield "nothing is written to disk: a restart of Redis loses every job. Set appendonly yes"
    elif persistence == "RDB":
        yield "only snapshots are written: a crash loses what came after the last one. Set appendonly yes"
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield "the last write to disk failed: look at the disk, and at Redis' log"
    if limit and memory > 0.8 * limit:
        yield f"{memory / limit:.0%} of the memory limit is used: when it is full, calls are refused"
    if info.get("role") == "slave":
        yield "this is a replica: nothing can be written to it"
    major = str(info.get("redis_version", "7")).partition(".")[0]
    if not major.isdecimal() or int(major) < 7:
        yield f"Redis {version} is too old: at least Redis 7.0 or Valkey 7.2 is needed"

"""Every public question that can be asked of a Redis with jobs in it, with something real behind each."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from typing import Any

from arq.jobs import Job

from jobs import Result, group, monitor, monitor_site
from jobs.client.connection import JobsRedis
from tests.jobs.worker import tasks


def questions(redis: JobsRedis, ended: Result, waiting: Result, flow: Result) -> Iterator[tuple[str, Awaitable[Any]]]:
    """Every public coroutine that ends by itself, called with something that is there."""
    yield "delay", tasks.multiply.delay(2, 2)
    yield "apply_many", tasks.multiply.apply_many([(1, 1), (2, 2)])
    yield "group.delay", group(tasks.multiply.s(1, 1), tasks.multiply.s(2, 2)).delay()
    yield "get with a timeout", ended.get(timeout=0.5)
    later = datetime(2099, 1, 1, tzinfo=UTC)
    event = {"name": "approval"}
    given = {
        "reschedule": {"eta": later},
        "send_event": event,
        "get": None,
        "progress": None,
        "as_completed": None,
        "status": None,
    }
    for name, method in inspect.getmembers(Result, inspect.iscoroutinefunction):
        if not name.startswith("_") and given.get(name, {}) is not None:
            of = (
                flow
                if name in ("children", "retry_failed")
                else waiting
                if name in ("reschedule", "revoke", "send_event")
                else ended
            )
            yield f"Result.{name}", method(of, **given.get(name) or {})
    yield "enqueue_job", redis.enqueue_job("f")
    yield "get a key", redis.get("arq:job:x")
    yield "all_job_results", redis.all_job_results()  # asks for all keys
    of_arq = Job(ended.id, redis, _deserializer=redis.loads)
    for name in ("status", "info", "result_info"):
        yield f"arq's Job.{name}", getattr(of_arq, name)()
    yield "arq's Job.result", of_arq.result(timeout=0.5)
    yield "arq's Job.abort", of_arq.abort(timeout=0.5)
    for name in (*monitor.__all__, *monitor_site.__all__):
        asked = getattr(monitor if name in monitor.__all__ else monitor_site, name)
        if inspect.iscoroutinefunction(asked):
            yield f"monitor.{name}", asked(*_arguments(asked, redis, ended, flow))


def _arguments(asked: Any, redis: JobsRedis, ended: Result, flow: Result) -> list[Any]:
    async def do() -> str:
        return "done"

    this_minute = int(time.time() // 60)
    made = monitor_site.Plan("p", "purge", "", datetime(2026, 1, 1, tzinfo=UTC))
    known = {
        "connection": redis, "redis": redis, "job_id": ended.id, "workflow_id": flow.id, "task": "tests.multiply",
        "queue": "default", "worker": "w", "name": "none", "names": ["default"], "rate": "10/s", "who": "w",
        "since": made.at, "until": made.at, "field": "step:none",
        "what": "w", "target": "t", "result": "r", "doing": do, "eta": datetime(2099, 1, 1, tzinfo=UTC),
        "most": 10, "jobs": [], "terminate": False, "queues": ["default"], "found": [], "purge": [], "ids": [],
        "id": ended.id, "action": "purge", "query": [ended.id], "made": made, "plan_id": "p",
        "searched": monitor_site.parse("x:1"),
        "wanted": monitor.Wanted(made.at), "changes": [],
        "key": "", "typed": "", "limit": "5", "call": tasks.multiply.s(1, 1), "when": "0 8 * * *",
        "error_id": "0123456789abcdef", "state": "resolved", "first": this_minute - 60, "last": this_minute,
    }  # fmt: skip
    needed = [p for p in inspect.signature(asked).parameters.values() if p.default is p.empty]
    return [known[parameter.name] for parameter in needed]

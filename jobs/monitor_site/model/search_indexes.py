"""Which indexes hold the jobs that a search wants, in which order."""

from dataclasses import dataclass
from datetime import datetime

from ...client.connection import JobsRedis
from ...client.submit import WORKFLOW_TASKS
from ...store import keys
from ...store.stored_values import text
from .wanted import Wanted, has_name, whole_names


@dataclass(frozen=True)
class SearchIndex:
    """An index that find.lua steps along."""

    name: str
    how: str
    states: str = ""  # Those that it is asked for, with commas: an index may hold others as well.
    key: str = ""
    between: tuple[str, str] = ("-inf", "+inf")
    queue: str = ""  # Whose jobs it holds, if it is a queue: records of stock arq's jobs do not say.


KEYS_LOOKED_AT = 100
_NEWEST_FIRST = ("running", "suspended", "parked", "due", "held", "ended", "later")
_OLDEST_FIRST = ("ended", "due", "held", "running", "suspended", "parked", "later")


async def indexes_for(connection: JobsRedis, wanted: Wanted) -> list[SearchIndex]:
    """All indexes that may hold such a job."""
    between = _score(wanted.since, "-inf"), _score(wanted.until, "+inf")
    how, order = ("oldest", _OLDEST_FIRST) if wanted.sort == "oldest" else ("newest", _NEWEST_FIRST)
    if wanted.workflows:
        return [SearchIndex("workflows", how, wanted.states_in(*order), connection.key.WORKFLOWS, between)]
    found: list[SearchIndex] = []
    for section in order:
        if not (states := wanted.states_in(section)):
            continue
        if section == "running":
            found.append(SearchIndex(section, "these", states))
        elif section in ("suspended", "parked"):
            key = connection.key.SUSPENDED if section == "suspended" else connection.key.WORKFLOWS
            found.append(SearchIndex(section, how, states, key))
        elif section == "held":
            for _, bucket in await limited(connection) if "scheduled" not in wanted.states else ():
                found.append(SearchIndex(f"blocked {bucket}", "oldest", states, connection.key.BLOCKED + bucket))
                places, later = connection.key.PLACES + bucket, (f"({_score(wanted.at, '')}", "+inf")
                found.append(SearchIndex(f"placed {bucket}", "oldest", states, places, later))
        elif section == "ended":
            found.append(SearchIndex(section, how, states, await _ended(connection, wanted, states), between))
        else:
            queues = wanted.names.get("queue", ("*",))
            names = whole_names(queues) or [name for name in await queue_names(connection) if has_name(queues, name)]
            for queue in names:
                key = connection.key.queue_key(queue)
                found.append(SearchIndex(f"{section} {queue}", section, states, key, between, queue))
    return found


async def queue_names(connection: JobsRedis) -> list[str]:
    """Every queue that holds a call, or that a worker serves, the default one, and some that did."""
    names = {text(name) for name in await connection.smembers(connection.key.QUEUES)}  # type: ignore[misc]
    return sorted(names | {keys.DEFAULT_QUEUE})


async def limited_tasks(connection: JobsRedis) -> list[str]:
    """The tasks that have a rate limit or a concurrency limit."""
    limits = await connection.hkeys(connection.key.LIMITS)  # type: ignore[misc]
    return sorted({text(field).rpartition("|")[0] for field in limits})


async def limited(connection: JobsRedis) -> list[tuple[str, str]]:
    """Those with their buckets, and those of KEYS_LOOKED_AT of their keys: where most jobs wait."""
    tasks = await limited_tasks(connection)
    async with connection.pipeline(transaction=False) as pipe:
        for task in tasks:
            pipe.zrange(connection.key.WAITING + task, 0, KEYS_LOOKED_AT - 1, desc=True)
        keys_of = await pipe.execute() if tasks else []
    of_keys = [(task, f"{task}|{text(key)}") for task, of in zip(tasks, keys_of, strict=True) for key in of]
    return [*((task, task) for task in tasks), *of_keys]


async def ids_running(connection: JobsRedis, worker: str = "") -> list[str]:
    """The ids of the jobs that workers, or one of them, hold; in the order of ids."""
    async with connection.pipeline(transaction=False) as pipe:
        for queue in await queue_names(connection):
            pipe.zrange(connection.key.LEASES + queue, 0, -1)
        ids = sorted({text(job_id) for held in await pipe.execute() for job_id in held})
        if not worker:
            return ids
        for job_id in ids:
            pipe.hget(connection.key.RECORD + job_id, "worker")
        return [job_id for job_id, holder in zip(ids, await pipe.execute(), strict=True) if holder == worker.encode()]


async def _ended(connection: JobsRedis, wanted: Wanted, states: str) -> str:
    """The smallest index that holds all that are wanted."""
    fitting, tasks = [connection.key.HISTORY], wanted.names.get("task", ())
    if "SUCCESS" not in states and not any(has_name(tasks, task) for task in WORKFLOW_TASKS):  # it holds few of these
        fitting.append(connection.key.UNSUCCESSFUL)
    if len(names := whole_names(tasks)) == 1:
        fitting.append(connection.key.ENDED + names[0])
    sizes = [await connection.zcard(key) for key in fitting]
    return fitting[sizes.index(min(sizes))]


def _score(time: datetime | None, otherwise: str) -> str:
    return otherwise if time is None else str(int(time.timestamp() * 1000))

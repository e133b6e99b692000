"""What to search for, and which indexes hold such jobs, in which order."""

from dataclasses import dataclass
from datetime import datetime

from ..client.connection import JobsRedis
from ..client.submit import WORKFLOW_TASKS
from ..errors import WrongValue
from ..store import keys
from ..store.stored_values import text
from .search_text import NOTHING_TYPED, Needle


@dataclass(frozen=True)
class Wanted:
    state: str = ""
    task: str = ""
    worker: str = ""
    queue: str = ""
    needle: Needle = NOTHING_TYPED
    since: datetime | None = None
    until: datetime | None = None
    workflows: bool = False


EVERY_JOB = Wanted()


@dataclass(frozen=True)
class SearchIndex:
    """An index that find.lua steps along."""

    name: str
    how: str
    states: str = ""  # Those that it is asked for, with commas: an index may hold others as well.
    key: str = ""
    between: tuple[str, str] = ("-inf", "+inf")
    queue: str = ""  # Whose jobs it holds, if it is a queue: records of stock arq's jobs do not say.


_SECTIONS = {
    "": ("running", "parked", "due", "ended", "later"),
    **dict.fromkeys(("PENDING", "RETRY"), ("due", "later")),
    "waiting": ("due",),
    "scheduled": ("later",),
    "STARTED": ("running", "parked"),
    "running": ("running",),
    **dict.fromkeys(("SUCCESS", "FAILURE", "REVOKED", "ended"), ("ended",)),
}

_STATES = {
    **dict.fromkeys(("running", "parked"), "STARTED"),
    **dict.fromkeys(("due", "later"), "PENDING,RETRY"),
    "ended": "SUCCESS,FAILURE,REVOKED",
}


async def indexes_for(connection: JobsRedis, wanted: Wanted) -> list[SearchIndex]:
    """All indexes that may hold such a job. WrongValue for a state that cannot be."""
    if wanted.state not in _SECTIONS:
        raise WrongValue(f"state={wanted.state!r}: it is one of {', '.join(filter(None, _SECTIONS))}")
    between = _score(wanted.since, "-inf"), _score(wanted.until, "+inf")
    if wanted.workflows:
        states = wanted.state if wanted.state.isupper() else ",".join(_STATES[one] for one in _SECTIONS[wanted.state])
        return [SearchIndex("workflows", "newest", states, connection.key.WORKFLOWS, between)]
    found: list[SearchIndex] = []
    for section in _SECTIONS[wanted.state]:
        states = wanted.state if wanted.state.isupper() else _STATES[section]
        if wanted.state == "scheduled":  # workflows that are parked until a member ends, too
            states += ",STARTED"
        if section == "running":
            found.append(SearchIndex(section, "these", states))
        elif section == "parked":
            found.append(SearchIndex(section, "newest", states, connection.key.WORKFLOWS))
        elif section == "ended":
            found.append(SearchIndex(section, "newest", states, await _ended(connection, wanted), between))
        else:
            for queue in [wanted.queue] if wanted.queue else await queue_names(connection):
                key = connection.key.queue_key(queue)
                found.append(SearchIndex(f"{section} {queue}", section, states, key, between, queue))
    return found


async def queue_names(connection: JobsRedis) -> list[str]:
    """Every queue that holds a call, or that a worker serves, the default one, and some that did."""
    names = {text(name) for name in await connection.smembers(connection.key.QUEUES)}  # type: ignore[misc]
    return sorted(names | {keys.DEFAULT_QUEUE})


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


async def _ended(connection: JobsRedis, wanted: Wanted) -> str:
    """The smallest index that holds all that are wanted."""
    fitting = [connection.key.HISTORY]
    if wanted.state in ("FAILURE", "REVOKED") and wanted.task not in WORKFLOW_TASKS:  # it holds few of these
        fitting.append(connection.key.UNSUCCESSFUL)
    if wanted.task:
        fitting.append(connection.key.ENDED + wanted.task)
    sizes = [await connection.zcard(key) for key in fitting]
    return fitting[sizes.index(min(sizes))]


def _score(time: datetime | None, otherwise: str) -> str:
    return otherwise if time is None else str(int(time.timestamp() * 1000))

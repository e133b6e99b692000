"""What Redis keeps of a job: its record, and every attempt. Other views of a job are made of the same fields."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack

from ..store import keys
from ..store.stored_values import moment, moment_of, text, whole


@dataclass(frozen=True)
class Attempt:
    """One time that a worker ran the job. `outcome`: SUCCESS, FAILURE, RETRY, REVOKED; PENDING: released;
    LOST: the worker died or lost its lease; STARTED: it runs. `text` is the traceback, or the reason.
    """

    number: int
    worker: str
    started: datetime
    ended: datetime | None
    outcome: str
    text: str


@dataclass(frozen=True)
class JobRecord:
    """What each view of a job has. Times are in UTC, by Redis' clock; `run_s`: its last attempt."""

    id: str
    state: str
    task: str
    queue: str
    worker: str
    enqueued: datetime | None
    due: datetime | None
    started: datetime | None
    finished: datetime | None
    run_s: float | None
    attempts: int
    retries: int


@dataclass(frozen=True)
class JobInfo(JobRecord):
    """The record of a job, with every attempt."""

    crashes: int
    deaths: int
    """Workers that died, or lost their lease, while they ran it, since it last came to an outcome."""
    killed: int
    """As many, if the job was ended because of them; else 0."""
    history: tuple[Attempt, ...]


def read_record(job_id: str, state: str, record: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The fields of a JobRecord, by name, from a record as it is stored."""
    get = record.get
    return {
        "id": job_id, "state": state,
        "task": text(get(b"task")), "queue": text(get(b"queue")), "worker": text(get(b"worker")),
        "enqueued": moment(get(b"enqueued")), "due": moment(get(b"due")),
        "started": moment(get(b"received")), "finished": moment(get(b"finished")),
        "run_s": whole(run) / 1000 if (run := get(b"run")) else None,
        "attempts": whole(get(b"attempts")), "retries": whole(get(b"retries")),
    }  # fmt: skip


def read_info(job_id: str, state: str, record: Mapping[bytes, bytes]) -> JobInfo:
    own = JobRecord(**read_record(job_id, state, record))
    history = attempts_of(record.get(b"log", b""))
    if own.started is not None and state in ("SUCCESS", "STARTED") and own.attempts:
        history = (*history, Attempt(own.attempts, own.worker, own.started, own.finished, state, ""))
    crashes = whole(record.get(b"crashes"))
    deaths = whole(record.get(b"deaths")) or (crashes + 1 if b"suspect" in record else 0)
    killed = deaths if state == "FAILURE" and crashes >= keys.POISON else 0
    return JobInfo(**vars(own), crashes=crashes, deaths=deaths, killed=killed, history=history)


def attempts_of(log: bytes) -> tuple[Attempt, ...]:
    """The log is one packed list after another, as scripts append them."""
    unpacker: Any = msgpack.Unpacker(raw=False, strict_map_key=False)
    unpacker.feed(log)
    read: list[Attempt] = []
    # up to what something else has written there
    with contextlib.suppress(ValueError, TypeError, IndexError, msgpack.UnpackException):
        for number, worker, started, ended, outcome, text in unpacker:
            ends = moment_of(ended)
            read.append(Attempt(int(number), str(worker), moment_of(started), ends, str(outcome), str(text)))
    return tuple(read)

"""What Redis keeps of a job: its record, and every attempt. Other views of a job are made of the same fields."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack

from ..store import keys
from ..store.stored_values import moment, moment_of, read_as, whole


@dataclass(frozen=True)
class Attempt:
    """One time that a worker ran the job. `outcome`: SUCCESS, FAILURE, RETRY, REVOKED; PENDING: released;
    LOST: the worker died or lost its lease; STARTED: it runs. `text` is the traceback, or the reason."""

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


def read_record(job_id: str, state: str, record: Mapping[bytes, bytes]) -> JobRecord:
    run, started = record.get(b"run"), moment(record.get(b"received"))
    return read_as(JobRecord, record, id=job_id, state=state, started=started, run_s=whole(run) / 1000 if run else None)


def read_info(job_id: str, state: str, record: Mapping[bytes, bytes]) -> JobInfo:
    own = read_record(job_id, state, record)
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

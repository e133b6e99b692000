"""What is known of one job: its record, with every attempt."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack

from ..store import keys
from ..store.stored_values import moment, moment_of, texts, whole


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
class JobInfo:
    """The record of a job. Times are in UTC, by Redis' clock."""

    id: str
    state: str
    task: str
    queue: str
    enqueued: datetime | None
    due: datetime | None
    started: datetime | None
    finished: datetime | None
    run_s: float | None
    worker: str
    attempts: int
    retries: int
    crashes: int
    deaths: int
    """Workers that died, or lost their lease, while they ran it, since it last came to an outcome."""
    killed: int
    """As many, if the job was ended because of them; else 0."""
    history: tuple[Attempt, ...]


def read_info(job_id: str, state: str, record: Mapping[bytes, bytes]) -> JobInfo:
    said = texts(record)
    history = _attempts(record.get(b"log", b""))
    started = moment(said["received"])
    attempts = whole(said["attempts"])
    if started is not None and state in ("SUCCESS", "STARTED") and attempts:
        history = (*history, Attempt(attempts, said["worker"], started, moment(said["finished"]), state, ""))
    crashes = whole(said["crashes"])
    deaths = whole(said["deaths"]) or (crashes + 1 if b"suspect" in record else 0)
    return JobInfo(
        id=job_id,
        state=state,
        task=said["task"],
        queue=said["queue"],
        enqueued=moment(said["enqueued"]),
        due=moment(said["due"]),
        started=started,
        finished=moment(said["finished"]),
        run_s=whole(said["run"]) / 1000 if b"run" in record else None,
        worker=said["worker"],
        attempts=attempts,
        retries=whole(said["retries"]),
        crashes=crashes,
        deaths=deaths,
        killed=deaths if state == "FAILURE" and crashes >= keys.POISON else 0,
        history=history,
    )


NO_LOG = (ValueError, TypeError, IndexError, msgpack.UnpackException)
"""What reading a damaged log of attempts may raise."""


def _attempts(log: bytes) -> tuple[Attempt, ...]:
    """The log is one packed list after another, as scripts append them."""
    unpacker: Any = msgpack.Unpacker(raw=False, strict_map_key=False)
    unpacker.feed(log)
    read: list[Attempt] = []
    with contextlib.suppress(*NO_LOG):  # damaged from here on
        for number, worker, started, ended, outcome, text in unpacker:
            ends = moment_of(ended)
            read.append(Attempt(int(number), str(worker), moment_of(started), ends, str(outcome), str(text)))
    return tuple(read)

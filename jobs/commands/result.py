"""`result`: what came of a job."""

from __future__ import annotations

import contextlib
import traceback
from typing import Any

import click

from jobs import keys
from jobs.commands.frame import Answer, Asked, asks
from jobs.commands.show import call_of
from jobs.errors import ResultUnknown
from jobs.info import JobInfo
from jobs.monitor.rows import error_text
from jobs.result import Result
from jobs.shown import text

SHOWN = 10_000
"""Characters of a result that are shown as text."""


@click.command("result")
@click.argument("job_id", metavar="ID")
@click.option(
    "--traceback", "with_traceback", is_flag=True, help="The traceback of a failure, and of earlier attempts."
)
@asks
async def command(asked: Asked, job_id: str, with_traceback: bool) -> Answer:
    """What a job returned; exit code 1 if it has not ended well. With -t it is waited for."""
    result = Result(job_id, asked.redis)
    state = await result.state()
    if asked.timeout_s and state not in ("UNKNOWN", "SUCCESS", "FAILURE", "REVOKED"):
        state = await _wait(result, asked.timeout_s)
    data: dict[str, Any] = {"id": job_id, "state": state, "result": None}
    if state == "UNKNOWN":
        return Answer(data, [f"{job_id}: UNKNOWN: nobody has seen this id, or its result has ended"], code=1)
    info = await _info(result)
    if info is not None:
        data |= {"task": info.task, "queue": info.queue, "worker": info.worker, "attempts": info.attempts,
                 "enqueued": info.enqueued, "started": info.started, "finished": info.finished}  # fmt: skip
    stored = await asked.redis.get(keys.RESULT + job_id) or await asked.redis.get(keys.JOB + job_id)
    if stored:
        data |= await call_of(asked, stored)
    if state not in ("SUCCESS", "FAILURE", "REVOKED"):
        return Answer(data, [f"{job_id}: {state}"], code=1)
    value = await result.get(propagate=False)
    if state == "SUCCESS":
        return Answer(data | {"result": value}, [text(value, SHOWN)])
    error = error_text(value, SHOWN)
    lines = [f"{job_id}: {state}: {error}"]
    if with_traceback:
        data["traceback"] = _traceback(info, value)
        lines = data["traceback"].rstrip().expandtabs().split("\n")
    return Answer(data | {"error": error}, lines, code=1)


async def _wait(result: Result, timeout_s: float) -> str:
    with contextlib.suppress(TimeoutError):
        await result.get(timeout=timeout_s, propagate=False)
    return await result.state()


async def _info(result: Result) -> JobInfo | None:
    """The record may be history's no more, while the result is still there."""
    try:
        return await result.info()
    except ResultUnknown:
        return None


def _traceback(info: JobInfo | None, error: BaseException) -> str:
    """Of each attempt that has one; else what came with the exception."""
    attempts = [] if info is None else [attempt for attempt in info.history if attempt.text]
    if not attempts:
        return "".join(traceback.format_exception(error))
    return "\n".join(f"Attempt {a.number} on {a.worker}: {a.outcome}\n{a.text.rstrip()}" for a in attempts)

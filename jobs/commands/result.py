"""`result` and `why`: how a job ended, and why it has not started."""

import contextlib
import traceback
from typing import Any

import click

from .. import monitor, monitor_site
from ..client.result import Result
from ..errors import ResultUnknown
from ..values.short_text import text
from .frame import Answer, Context, command_body
from .inspect import as_data

RESULT_CHARS = 10_000


@click.command("result")
@click.argument("job_id", metavar="ID")
@click.option("--traceback", "with_traceback", is_flag=True, help="The traceback of a failure, and those before it.")
@command_body
async def result_command(context: Context, job_id: str, with_traceback: bool) -> Answer:
    """What a job returned; exit code 1 if it has not ended well. With -t it is waited for."""
    result = Result(job_id, context.redis)
    state = await result.state()
    if context.timeout_s and state not in ("UNKNOWN", "SUCCESS", "FAILURE", "REVOKED"):
        with contextlib.suppress(TimeoutError):
            await result.get(timeout=context.timeout_s, propagate=False)
        state = await result.state()
    data: dict[str, Any] = {"id": job_id, "state": state, "result": None}
    if state == "UNKNOWN":
        return Answer(data, [f"{job_id}: UNKNOWN: nobody has seen this id, or its result has ended"], code=1)
    info = None
    with contextlib.suppress(ResultUnknown):  # the record may be gone before the result
        info = await result.info()
        data |= {"task": info.task, "queue": info.queue, "worker": info.worker, "attempts": info.attempts,
                 "enqueued": info.enqueued, "started": info.started, "finished": info.finished}  # fmt: skip
    call = await monitor.call_of(context.redis, job_id)
    if call:
        data |= as_data(call)
    if state not in ("SUCCESS", "FAILURE", "REVOKED"):
        return Answer(data, [f"{job_id}: {state}"], code=1)
    value = await result.get(propagate=False)
    if state == "SUCCESS":
        return Answer(data | {"result": value}, [text(value, RESULT_CHARS)])
    error = monitor.error_text(value, RESULT_CHARS)
    lines = [f"{job_id}: {state}: {error}"]
    if with_traceback:
        data["traceback"] = _traceback(info, value)
        lines = data["traceback"].rstrip().expandtabs().split("\n")
    return Answer(data | {"error": error}, lines, await _reruns(context, job_id), code=1)


@click.command("why")
@click.argument("job_id", metavar="ID")
@command_body
async def why_command(context: Context, job_id: str) -> Answer:
    """Why a job has not started: every reason there is. Exit code 1 for an unknown id."""
    reasons = await monitor.why(context.redis, job_id)
    lines = [f"{job_id}: {reason.text}" for reason in reasons]
    return Answer(reasons, lines, await _reruns(context, job_id), code=int(reasons[0].code == "unknown"))


async def _reruns(context: Context, job_id: str) -> list[str]:
    """The other jobs that are this one: the one that was called first, and those that ran it again."""
    rows, first = await monitor_site.reruns_of(context.redis, job_id), monitor_site.original_of(job_id)
    said = ("Run again as", "Runs again")
    return [f"{said[row.id == first]} {row.id}: {row.state}" for row in rows if row.id != job_id]


def _traceback(info: monitor.JobInfo | None, error: BaseException) -> str:
    """Of each attempt that has one; else what came with the exception. A job that was put back has used none."""
    history = () if info is None else info.history
    attempts = [attempt for attempt in history if attempt.text and attempt.outcome != "PENDING"]
    if not attempts:
        return "".join(traceback.format_exception(error))
    return "\n".join(f"Attempt {a.number} on {a.worker}: {a.outcome}\n{a.text.rstrip()}" for a in attempts)

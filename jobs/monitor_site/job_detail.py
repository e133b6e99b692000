"""Everything that is known of one job."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..client.connection import JobsRedis
from ..client.job_info import JobInfo
from ..client.result import Result
from ..errors import EncodingError, ResultUnknown
from ..store.notifications import TERMINAL
from ..store.schedule_ids import moment_in
from ..store.stored_values import text as text_of
from ..tasks.declarations import declared
from ..tasks.masking import REST, without_secrets
from ..values.short_text import text
from ..workflows import members
from .error_groups import ErrorGroup
from .error_groups import error as error_of_id
from .model.job_row import JobRow, error_text
from .model.masked_call import MAX_CALL_BYTES, MaskedCall, call_of
from .model.reasons import Reason, why
from .model.search import row_of, rows_of
from .model.unique_keys import key_of
from .reruns import reruns_of
from .stuck import LongRun, long_run

RESULT_CHARS = 10_000
ARGUMENT_VALUES = 2_000  # Values among the arguments that are shown, and in what it reports of its progress.
MAX_CHILDREN = 100


@dataclass(frozen=True)
class JobDetail:
    """What is known of one job."""

    id: str
    state: str  # '' for a member of a workflow that has not been called yet.
    row: JobRow | None  # None of a member that has not been called yet.
    info: JobInfo | None  # None too where its record is forgotten, while its result is kept.
    task: str
    call: MaskedCall | None  # None where nothing is kept of it, as once the result has ended.
    result: str | None  # The result as text, cut; None: it has none yet, has failed, or its result is not kept.
    error: str  # `ValueError: no luck`, of one that failed or was revoked; the tracebacks are in `info.history`.
    parent: str  # The workflow that it is a member of.
    children: list[JobRow]
    """Members of a workflow that were called, or callbacks of a job; the first MAX_CHILDREN of them."""
    children_count: int
    progress: Any
    reasons: list[Reason]
    """Why it has not started, or not again after the death of its worker; [] if it runs or has ended."""
    unique: str  # Of a unique task: which calls are this job, until when, and how many were; '' for none.
    reruns: list[JobRow]
    """The job that was called first, and those that ran it again, this one too; [] if none did."""
    can_retry: bool
    can_revoke: bool
    can_reschedule: bool
    parameters: tuple[str, ...]  # Names of the places of its arguments, if a worker has declared them.
    like_it: ErrorGroup | None  # What its last failed attempt has in common with others of the last hour.
    long_run: LongRun | None  # If it runs for much longer than its task usually does.

    @property
    def is_suspended(self) -> bool:
        """It has steps, and waits without a worker."""
        return [reason.code for reason in self.reasons[:1]] == ["suspended"]

    @property
    def schedule(self) -> tuple[str, datetime] | None:
        """The schedule that has called it, and the moment that it was called for."""
        return moment_in(self.id)

    @property
    def arguments(self) -> list[tuple[str, Any]]:
        """Its arguments by name; positional ones by their place, from `1` on, where nobody has declared names."""
        found, names = list[tuple[str, Any]](), self.parameters
        for place, value in enumerate(self.call.args if self.call else ()):
            if place < len(names) and not names[place].startswith("*"):
                found.append((names[place], value))
            elif names and names[-1].startswith("*"):
                found.append((f"{names[-1]}[{place - len(names) + 1}]", value))
            else:
                found.append((str(place + 1), value))
        return [*found, *(self.call.kwargs.items() if self.call else ())]


async def job(connection: JobsRedis, job_id: str) -> JobDetail | None:
    """What is known of a job now; None if nobody has seen this id, or all of it has ended."""
    handle = Result(job_id, connection)
    state = await handle.state()
    row = await row_of(connection, job_id)
    if state == "UNKNOWN":  # only its result has ended; or it is a member that was not called yet
        state = row.state if row else ""
    reasons = await _reasons(connection, job_id, state)
    if not state and reasons[0].code == "unknown":
        return None
    parent = row.parent if row else (await members.member_of(connection, job_id) or ("",))[0]
    call = await call_of(connection, job_id, parent, ARGUMENT_VALUES)
    children = await _children(connection, job_id)
    reruns = await reruns_of(connection, job_id)
    (result, error), (info, progress) = await _outcome(connection, job_id, state), await _reported(handle)
    task = (row.task if row else "") or (call.task if call else "")
    known = await declared(connection, [task])
    is_kept = call is not None and call.args != [REST]  # of a pickled one only the name
    return JobDetail(
        id=job_id,
        state=state,
        row=row,
        info=info,
        task=task,
        call=call,
        result=result,
        error=error or (row.error if row else ""),
        parent=parent,
        children=await rows_of(connection, children[:MAX_CHILDREN]),
        children_count=len(children),
        progress=progress,
        reasons=reasons,
        unique=(await key_of(connection, job_id))[0],
        reruns=reruns if len(reruns) > 1 else [],
        can_retry=state in ("FAILURE", "REVOKED") and not parent and (is_kept or children != []),
        can_revoke=state not in ("", *TERMINAL),
        can_reschedule=state in ("PENDING", "RETRY"),
        parameters=known[task].secrets.parameters if task in known else (),
        like_it=await _like_it(connection, job_id) if state in ("FAILURE", "RETRY") else None,
        long_run=await long_run(connection, row) if row else None,
    )


async def _reasons(connection: JobsRedis, job_id: str, state: str) -> list[Reason]:
    found = await why(connection, job_id) if state not in TERMINAL else []
    found = [reason for reason in found if reason.code != "unique"]
    return [] if state == "STARTED" and found[0].code not in ("suspect", "stopping", "suspended") else found


async def _children(connection: JobsRedis, job_id: str) -> list[str]:
    with contextlib.suppress(EncodingError):  # a workflow of another version
        return await members.children_of(connection, job_id)
    return []


async def _like_it(connection: JobsRedis, job_id: str) -> ErrorGroup | None:
    error_id = await connection.hget(connection.key.RECORD + job_id, "error")  # type: ignore[misc]
    return await error_of_id(connection, text_of(error_id)) if error_id else None


async def _outcome(connection: JobsRedis, job_id: str, state: str) -> tuple[str | None, str]:
    if state not in TERMINAL:
        return None, ""
    [found] = await connection.notifications.read([job_id])
    if len(found.result) > MAX_CALL_BYTES:
        return f"<{len(found.result):,} bytes>", ""
    try:
        value = await Result(job_id, connection).get(propagate=False)
    except EncodingError as error:  # not written by us
        value = error
    if isinstance(value, ResultUnknown):
        return None, ""
    if state == "SUCCESS":
        return text(without_secrets(value, most=RESULT_CHARS), RESULT_CHARS), ""
    return None, error_text(value, RESULT_CHARS)


async def _reported(handle: Result) -> tuple[JobInfo | None, Any]:
    info = progress = None
    with contextlib.suppress(ResultUnknown):
        info = await handle.info()
    with contextlib.suppress(EncodingError):  # not written by us
        progress = without_secrets(await handle.meta(), most=ARGUMENT_VALUES)
    return info, progress

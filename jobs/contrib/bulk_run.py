"""Carries out a plan of `monitor_site.plan` in steps, as the task `jobs.bulk` or in a command. See decision 0028."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

from .. import encoding
from ..client.connection import JobsRedis
from ..client.result import Result, revoke_all
from ..errors import QuarqError
from ..monitor_site.bulk_plan import FITS, Plan, read_plan
from ..monitor_site.model.actions import call_again, move, next_id, stored_call
from ..monitor_site.model.audit_log import note
from ..monitor_site.model.search import row_of
from ..store.call import Call
from ..store.outage import while_away
from ..store.stored_values import text, whole

STEP_S = 0.2  # From step to step, if there is a rate.
AT_ONCE, CALLS_AT_ONCE = 50, 10  # Jobs in one step; of a retry fewer, as it stores calls of any size.


async def carry_out(connection: JobsRedis, plan_id: str) -> AsyncIterator[dict[str, int]]:
    """Take the steps of a plan that are left; says how far it is, before them and after each. None is taken twice."""
    made = await read_plan(connection, plan_id)
    stored = await connection.hmget(connection.key.BULK + plan_id, ["who", "entry", "ids"])  # type: ignore[misc]
    ids, most = encoding.loads(stored[2]), CALLS_AT_ONCE if made.action == "retry" else AT_ONCE
    at_once = max(min(most, int(STEP_S / made.each_s)), 1) if made.each_s else most
    yield made.progress
    while made.done < made.jobs:
        began, before = time.monotonic(), made.done
        made = await while_away(partial(_step, connection, made, ids[before : before + at_once]))
        yield made.progress
        await asyncio.sleep((made.done - before) * made.each_s - (time.monotonic() - began))
    done = f"{made.done - made.skipped:,} of {made.jobs:,} jobs"
    await note(connection, text(stored[0]), f"{made.action} many", made.query, done, instead_of=text(stored[1]))


async def _step(connection: JobsRedis, made: Plan, ids: Sequence[str]) -> Plan:
    """Do it to these jobs, and note that. A step that another has taken is only read."""
    calls, skipped = list[Call](), 0
    if made.action == "retry":
        found = await asyncio.gather(*(_retried(connection, made, job_id) for job_id in ids))
        calls, skipped = [call for some in found for call in some or ()], found.count(None)
    elif made.action == "move":
        skipped = (await move(connection, ids, made.queue)).count(False)
    else:
        if made.action == "purge":
            states = await revoke_all(connection, ids, only_waiting=True)
        else:
            states = [await Result(job_id, connection).revoke(made.action == "terminate") for job_id in ids]
        skipped = sum(state not in (*FITS[made.action], "REVOKED") for state in states)
    words = (word for call in calls for word in call.words())
    done, skipped_in_all = await connection.run_script("bulk", made.id, made.done, len(ids), skipped, *words)
    if done is None:
        raise QuarqError(f"the plan {made.id} is gone: make a new one")
    return replace(made, done=whole(done), skipped=whole(skipped_in_all))


async def _retried(connection: JobsRedis, made: Plan, job_id: str) -> list[Call] | None:
    """None if it is left alone: it has changed, or its task does not take its arguments any more."""
    try:
        return await _retry(connection, made, job_id)
    except (QuarqError, ValueError, TypeError):
        return None


async def _retry(connection: JobsRedis, made: Plan, job_id: str) -> list[Call]:
    """The call of a job that has failed before the plan; a workflow, or a job with steps, goes on at once."""
    row = await row_of(connection, job_id)
    if row is None or row.finished is None or row.finished > made.at:
        raise QuarqError(f"job {job_id} has changed since")
    if await Result(job_id, connection).retry_failed():  # one with steps too, under its own id
        return []
    if row.kind == "workflow":
        raise QuarqError(f"workflow {job_id} has not failed")
    return [call_again(connection, next_id(job_id), *await stored_call(connection, job_id))]

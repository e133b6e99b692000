"""The questions before what destroys, or affects more than one job: what it will do, and to how many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quart import render_template, url_for
from quart.typing import ResponseReturnValue

from ...client.connection import JobsRedis
from ...workflows import members
from .. import model, request_args, viewers
from ..model.actions import next_id
from ..model.durable_steps import count_steps
from ..model.search import row_of
from ..options import redis
from ..routes import blueprint

MOST_NAMES = 10


@dataclass(frozen=True)
class Question:
    """*sentence* says what happens, *jobs* to how many; None: to none. The button sends *fields* to *endpoint*."""

    sentence: str
    jobs: int | None
    label: str
    endpoint: str
    back: str
    fields: dict[str, str] = field(default_factory=dict)
    task: str = ""
    is_harm: bool = True


@blueprint.get("/ask")
async def ask() -> ResponseReturnValue:
    """One question. Its button is the only one on any page that leads to the action."""
    viewers.require_acting()
    what, name = request_args.query("what"), request_args.query("name")
    if what not in QUESTIONS:
        request_args.not_found()
    question = await QUESTIONS[what](redis(), name)
    return await render_template("monitor/question.html", question=question, name=name)


async def _revoke(connection: JobsRedis, job_id: str) -> Question:
    row = await row_of(connection, job_id) or request_args.not_found()
    n = await _unended(connection, job_id)
    sentence = "The job will not start. It ends as REVOKED, and can be run again as a new job."
    if n:
        sentence = "The workflow ends as REVOKED, and all of its steps that have not ended with it. It can be retried."
    elif row.hold == "suspended":
        sentence = (
            "It ends here, as REVOKED. None of its code runs any more, so nothing makes up for the steps that it has "
            "done: if it should, answer what it waits for instead."
        )
    elif row.state == "STARTED":
        sentence = "The current attempt goes on, and no further one starts."
    back, fields = url_for("monitor.job", id=job_id), {"id": job_id}
    is_running = row.state == "STARTED" and row.hold != "suspended"
    label = "Cancel retries" if is_running and not n else "Revoke"
    return Question(sentence, n + 1, label, "monitor.revoke_job", back, fields, row.name or row.task)


async def _stop(connection: JobsRedis, job_id: str) -> Question:
    row = await row_of(connection, job_id) or request_args.not_found()
    n = await _unended(connection, job_id)
    sentence = "It is stopped in the middle of its work, and ends as REVOKED. What it has done so far stays done."
    back, fields = url_for("monitor.job", id=job_id), {"id": job_id, "terminate": "1"}
    return Question(sentence, n + 1, "Stop now", "monitor.revoke_job", back, fields, row.name or row.task)


async def _retry(connection: JobsRedis, job_id: str) -> Question:
    row = await row_of(connection, job_id) or request_args.not_found()
    tree = await members.tree_of(connection, job_id)
    n = len(await members.to_do_again(connection, job_id, tree)) if tree else 1
    sentence = "The workflow goes on from what failed: these steps run again, and what has succeeded is kept."
    if await count_steps(connection, job_id):
        sentence = "It goes on under its own id, and keeps the steps that succeeded and the events that came."
    elif not tree:
        sentence = "It is queued again, as a new job with the same arguments."
    back, fields = url_for("monitor.job", id=job_id), {"id": job_id}
    return Question(sentence, n, "Run again", "monitor.retry_job", back, fields, row.name or row.task, is_harm=False)


async def _run_from(connection: JobsRedis, job_id: str) -> Question:
    step = request_args.query("step")
    found, row = await model.steps(connection, job_id), await row_of(connection, job_id)
    place = next((place for place, one in enumerate(found) if one.field == step), None)
    if row is None or place is None:
        request_args.not_found()
    again = [one.name for one in found[place:] if one.kind in ("step", "child")]
    names = f"{', '.join(again[:MOST_NAMES])}{' and more' if len(again) > MOST_NAMES else ''}"
    sentence = (
        f"A new job is called, {next_id(job_id)}. It keeps what was recorded before {found[place].name}, and the rest "
        f"of the code runs again{f': {names}' if again else ''}. What that has done is done a second time, with "
        "another step_key."
    )
    back, fields = url_for("monitor.job", id=job_id), {"id": job_id, "step": step}
    return Question(sentence, 1, "Run again from here", "monitor.run_job_from", back, fields, row.name or row.task)


async def _pause(connection: JobsRedis, name: str) -> Question:
    [queue] = await model.queues_named(connection, [name])
    sentence = "None of the jobs of this queue starts until somebody resumes it. What runs goes on."
    back = url_for("monitor.queues")
    return Question(sentence, queue.due + queue.scheduled, "Pause", "monitor.pause_queue", back, {"name": name})


async def _resume(connection: JobsRedis, name: str) -> Question:
    [queue] = await model.queues_named(connection, [name])
    back = url_for("monitor.queues")
    return Question(
        "The jobs of this queue start again at once, as workers have room.",
        queue.due, "Resume", "monitor.resume_queue", back, {"name": name}, is_harm=False,
    )  # fmt: skip


async def _quiet(connection: JobsRedis, name: str) -> Question:
    sentence = "The worker takes no new jobs. Its running jobs go on. Only a restart of the worker undoes this."
    return await _worker(connection, name, sentence, "Quiet", "monitor.quiet_worker")


async def _stop_worker(connection: JobsRedis, name: str) -> Question:
    sentence = "The worker finishes its running jobs, releases those that take too long to other workers, and exits."
    return await _worker(connection, name, sentence, "Stop worker", "monitor.stop_worker")


async def _worker(connection: JobsRedis, name: str, sentence: str, label: str, endpoint: str) -> Question:
    running = await model.running(connection, name)
    return Question(sentence, len(running), label, endpoint, url_for("monitor.worker", name=name), {"name": name})


async def _forget(connection: JobsRedis, name: str) -> Question:
    sentence = "The schedule and its history are removed. It comes back, without them, if a worker declares it."
    back = url_for("monitor.schedules")
    return Question(sentence, None, "Forget", "monitor.forget_schedule", back, {"name": name})


async def _delete(connection: JobsRedis, name: str) -> Question:
    sentence = "The schedule is removed, and runs no more. Its jobs stay. Code or a command can store it again."
    back = url_for("monitor.schedules")
    return Question(sentence, None, "Delete", "monitor.delete_schedule", back, {"name": name})


async def _unended(connection: JobsRedis, job_id: str) -> int:
    """How many members of this workflow have not ended; 0 if it is none."""
    tree = await members.tree_of(connection, job_id)
    return len(await members.unended(connection, job_id, tree)) if tree else 0


QUESTIONS: dict[str, Callable[[JobsRedis, str], Awaitable[Question]]] = {
    "revoke": _revoke,
    "stop": _stop,
    "retry": _retry,
    "run-from": _run_from,
    "pause": _pause,
    "resume": _resume,
    "quiet": _quiet,
    "stop-worker": _stop_worker,
    "forget": _forget,
    "delete": _delete,
}

"""Run a job again with other arguments, or a task with new ones: JSON for each argument."""

from __future__ import annotations

import os
from dataclasses import replace

from quart import render_template, request, url_for
from quart.typing import ResponseReturnValue

from ...errors import QuarqError
from .. import editable_call, model, request_args, viewers
from ..acting import Outcome, act
from ..actions import of_calls
from ..editable_call import EditableCall
from ..options import redis
from ..reruns import original_of
from ..routes import blueprint
from ..web.messages import Message, Refused


@blueprint.get("/job/edit")
async def edit_job() -> ResponseReturnValue:
    """The arguments of a job, to be edited."""
    viewers.require_acting()
    job_id = request_args.query("id")
    call, refusal = await _call_of_job(job_id)
    return await _form(call, {"id": job_id, "new": await editable_call.free_id(redis(), job_id)}, refusal)


@blueprint.post("/job/edit")
async def run_edited() -> ResponseReturnValue:
    """Run it as a new job. Pressed twice, it runs once: the form has the new id."""
    job_id, new = await request_args.form("id"), await request_args.form("new")
    if original_of(new) != original_of(job_id) or new == job_id:
        request_args.not_found()
    call, refusal = await _call_of_job(job_id)
    return (
        await _run(call, {"id": job_id, "new": new}, of_calls.AGAIN, job_id)
        if call
        else await _form(call, {"id": job_id, "new": new}, refusal)
    )


@blueprint.get("/task/run")
async def fill_in_task() -> ResponseReturnValue:
    """The parameters of a task, to be filled in."""
    viewers.require_acting()
    name = request_args.query("name")
    call = await editable_call.call_of_task(redis(), name) or request_args.not_found()
    return await _form(call, {"name": name, "new": os.urandom(16).hex()})


@blueprint.post("/task/run")
async def run_task() -> ResponseReturnValue:
    """Call it. Pressed twice, it is called once."""
    name, new = await request_args.form("name"), await request_args.form("new")
    if len(new) != 32 or not set(new) <= set("0123456789abcdef"):
        request_args.not_found()
    call = await editable_call.call_of_task(redis(), name) or request_args.not_found()
    return await _run(call, {"name": name, "new": new}, of_calls.NEW, name)


async def _call_of_job(job_id: str) -> tuple[EditableCall | None, Message | None]:
    try:
        return await editable_call.call_of_job(redis(), job_id), None
    except model.NotRetried as error:
        return None, Message("not-editable", str(error))
    except QuarqError:
        request_args.not_found()


async def _run(call: EditableCall, hidden: dict[str, str], what: str, target: str) -> ResponseReturnValue:
    form = await request.form
    typed = {name.removeprefix("argument-"): text for name, text in form.items() if name.startswith("argument-")}
    options = {name: form.get(name, "").strip()[:512] for name in ("queue", "countdown")}
    new = hidden["new"]
    try:
        seconds, sure = _seconds(options["countdown"]), form.get("sure") == "1"
        action = of_calls.run(what, target, call, typed, new, options["queue"], seconds, sure)
    except (QuarqError, ValueError) as error:
        code = error.message.code if isinstance(error, Refused) else "wrong-argument"
        return await _form(call, hidden, Message(code, str(error)), typed, options), 400

    def then(message: Message) -> str:
        if isinstance(message, Outcome):
            return url_for("monitor.job", id=new)
        return url_for("monitor.task", name=target) if what == of_calls.NEW else url_for("monitor.job", id=target)

    return await act(*action, then)


async def _form(
    call: EditableCall | None,
    hidden: dict[str, str],
    error: Message | None = None,
    typed: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> str:
    fields = call.fields() if call else []
    if typed is not None:
        known = {one.key for one in fields}
        more = [editable_call.Field(key, key.removeprefix("name-"), "") for key in typed if key not in known]
        fields = [replace(one, text=typed.get(one.key, "")) for one in [*fields, *more]]
    label = (error or "").partition(":")[0].partition("[")[0].partition(".")[0]
    fields = [replace(one, error=error or "") if one.label == label else one for one in fields]
    return await render_template(
        "monitor/edit.html", call=call, fields=fields, hidden=hidden, error=error, options=options or {}
    )


def _seconds(typed: str) -> float:
    try:
        seconds = float(typed or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 10**9:
        raise Refused("no-seconds", f"{typed[:40]}: enter a number of seconds, 0 or more.")
    return seconds

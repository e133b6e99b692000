"""Run a job again with other arguments, or call a task."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from ... import editable_call
from ...acting import Action
from ...actions import of_calls
from ...editable_call import EditableCall
from ...options import redis
from ...request_args import not_found
from ...reruns import original_of
from ...web.messages import WrongInput
from ..endpoints import read, write
from ..given import Given

NOTHING: Any = MappingProxyType({})
ByName = Annotated[dict[str, Any], Given("By their names. Of a job, those that are not given stay as they are.")]
LeftOut = Annotated[list[str] | None, Given("Names of arguments of the job that the new one is called without.")]
Queue = Annotated[str, Given("Where it waits; without it, in the queue of the job or of the task.")]
Countdown = Annotated[float, Given("Seconds until it is due.", 10**9)]
NewId = Annotated[str, Given("The id of the new job, as `new_id` was answered: with it, asked twice is called once.")]

Sure = Annotated[bool, Given("Call it although a value is of another kind than before, or than its annotation.")]


@dataclass(frozen=True)
class Argument:
    """One argument of a job, or one that a task takes."""

    name: str
    value: Any  # As JSON, masked: given back, `***` is what it stands for. None too where it is not given.
    is_given: bool
    is_required: bool
    is_long: bool  # Too long to be shown; it stays as it is.


@dataclass(frozen=True)
class CallForm:
    """What a job was called with, or what a task takes."""

    task: str
    queue: str
    new_id: str  # A free one, to be given when it is called.
    arguments: list[Argument]


@read("/jobs/{id}/arguments")
async def job_arguments(id: str) -> CallForm:
    """The arguments of a job, to run it again with others."""
    return _form(await editable_call.call_of_job(redis(), id), await editable_call.free_id(redis(), id))


@write("/jobs/{id}/run-again")
async def run_again(
    id: str,
    arguments: ByName = NOTHING,
    left_out: LeftOut = None,
    queue: Queue = "",
    countdown_s: Countdown = 0,
    new_id: NewId = "",
    sure: Sure = False,
) -> Action:
    """Run a job again, in any state, with other arguments: as a new job, whose id is answered."""
    new_id = new_id or await editable_call.free_id(redis(), id)
    if original_of(new_id) != original_of(id) or new_id == id:
        raise WrongInput("wrong-id", f"This is no id for a rerun of {id}. Take the one that is answered as new_id.")
    call = await editable_call.call_of_job(redis(), id)
    typed = _typed(call, arguments, left_out)
    return of_calls.run(of_calls.AGAIN, id, call, typed, new_id, queue, countdown_s, sure)


@read("/tasks/{name}/parameters")
async def task_parameters(name: str) -> CallForm:
    """The parameters of a task, as far as a worker has declared them."""
    return _form(await editable_call.call_of_task(redis(), name) or not_found(), os.urandom(16).hex())


@write("/tasks/{name}/call")
async def call_task(
    name: str,
    arguments: ByName = NOTHING,
    queue: Queue = "",
    countdown_s: Countdown = 0,
    new_id: NewId = "",
    sure: Sure = False,
) -> Action:
    """Call a task that a worker has declared; the id of the job is answered."""
    new_id = new_id or os.urandom(16).hex()
    if len(new_id) != 32 or not set(new_id) <= set("0123456789abcdef"):
        raise WrongInput("wrong-id", "This is no id for a new job. Give 32 hexadecimal digits.")
    call = await editable_call.call_of_task(redis(), name) or not_found()
    return of_calls.run(of_calls.NEW, name, call, _typed(call, arguments), new_id, queue, countdown_s, sure)


def _form(call: EditableCall, new_id: str) -> CallForm:
    rows = [
        Argument(one.label, json.loads(one.text or "null"), bool(one.text), one.is_required, one.is_long)
        for one in call.fields()
    ]
    return CallForm(call.task, call.queue, new_id, rows)


def _typed(call: EditableCall, arguments: Mapping[str, Any], left_out: Sequence[str] | None = None) -> dict[str, str]:
    """As a form has them: a text of JSON for each, and an empty one for what is left out."""
    known = {one.label for one in call.fields()}
    if unknown := [name for name in left_out or () if name not in known]:
        raise WrongInput("no-argument", f"There is no argument {unknown[0]:.80} to be left out.")
    typed = {name: json.dumps(value) for name, value in arguments.items()}
    return call.by_key(typed | dict.fromkeys(left_out or (), ""))

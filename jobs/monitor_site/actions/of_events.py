"""Give an event to a job that waits, approve it or reject it, and run a job again from one of its steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .. import model
from ..acting import Action, Outcome
from ..options import redis
from ..viewers import this_viewer
from ..web.messages import Message, WrongInput

NOTE_CHARS, VALUE_CHARS = 1_000, 20_000
SENT = Message("event-sent", "Sent. The job goes on.")


def answer(job_id: str, event: str, approved: bool, note: str) -> Action:
    """Approve or reject what waits for *event*: the job gets `{"approved": ..., "by": ..., "note": ...}`."""
    value = {"approved": approved, "by": this_viewer().name, "note": _cut(note)}
    done = Message("approved", "Approved.") if approved else Message("rejected", "Rejected.")
    return _send("approve" if approved else "reject", job_id, event, lambda: value, note, done, is_answer=True)


def send(job_id: str, event: str, value: Any, note: str) -> Action:
    return _send("send event", job_id, event, lambda: value, note, SENT)


def send_typed(job_id: str, event: str, typed: str, note: str) -> Action:
    """The same with a value that was typed as JSON; nothing is None."""
    return _send("send event", job_id, event, lambda: _value_of(typed[:VALUE_CHARS]), note, SENT)


def _send(
    what: str, job_id: str, event: str, value: Callable[[], Any], note: str, done: Message, is_answer: bool = False
) -> Action:
    who, note = this_viewer().name, _cut(note)

    async def do() -> Message:
        kept = await model.send_event(redis(), job_id, event, value(), who, note, is_answer)
        return Message("event-kept", f"{kept}.") if kept else done

    return Action(f"{what} {event}{f': {note[:200]}' if note else ''}", job_id, do)


def _cut(note: str) -> str:
    return note.strip()[:NOTE_CHARS]


def _value_of(typed: str) -> Any:
    try:
        return json.loads(typed) if typed.strip() else None
    except (ValueError, RecursionError):
        raise WrongInput("no-json", 'The value is not JSON. Enter one like {"approved": true}.') from None


def run_from(job_id: str, step: str) -> Action:
    """Run it again as a new job that has what was recorded before this step."""

    async def do() -> Message:
        runs = await model.run_from(redis(), job_id, step)
        return Outcome("run-from", f"Queued again from {step.partition(':')[2]}, as {runs}.", id=runs)

    return Action("run again from a step", job_id, do)

"""What comes to a job with steps from outside: events, and an operator's retry."""

import os
import time
from typing import Any

from ... import encoding
from ...client.events import wait_for_event
from ...client.result import Result
from ...errors import EventRefused, NotRetried
from ...store.keys import EVENTS_BYTES
from ...store.store import Store
from ...store.stored_values import text
from ...values.sendable import check, too_large
from ...workflows import members
from ...workflows.stored_tree import Tree
from .entries import EVENT, Entry, check_name
from .log import TOO_LARGE, TOO_MANY, read

NO_WAIT = -4  # An answer of send_event.lua.
__all__ = ["Entry", "check_name", "read", "run_again", "send_event"]


async def send_event(
    connection: Store, job_id: str, name: str, value: Any = None, by: str = "", note: str = "", is_answer: bool = False
) -> bool:
    """See Result.send_event. *by* and *note*: who sent it, and why, as people see it. *is_answer*: EventRefused if
    nothing waits for it now, as another has answered; it is not kept for the next wait.
    """
    check_name("name", name)
    check(value)
    about = {"at": int(time.time() * 1000), "by": by, "note": note, "id": os.urandom(8)}
    entry = b"S" + encoding.pack({"s": True, "r": value, **about})
    if len(entry) > connection.size_limit:
        raise too_large("the event takes", len(entry), connection.size_limit)
    takers, others = await _takers(connection, job_id, name)
    for one in takers:
        answer, is_taken = await connection.run_script("send_event", one, f"{EVENT}:{name}#", entry, int(is_answer))
        if answer > 0:
            return bool(is_taken)
        if answer == NO_WAIT:
            raise EventRefused(f"job {job_id} does not wait for {name!r} now: it has been answered")
        if answer == TOO_MANY:
            raise EventRefused(f"job {job_id} has as many events and children as it may have")
        if answer == TOO_LARGE:
            raise EventRefused(f"the events of job {job_id} take {EVENTS_BYTES // 2**20} MB, no more is kept of them")
    state = await Result(job_id, connection).state()
    instead = f", and its members wait for {', '.join(map(repr, others))}" if others else ""
    raise EventRefused(f"the event {name!r} reaches no job {job_id!r}: it is {state}{instead}")


async def _takers(connection: Store, job_id: str, name: str) -> tuple[list[str], list[str]]:
    """The job; of a workflow its members that wait for this event, and the other events that members wait for."""
    tree = None if connection.steps else await members.tree_of(connection, job_id)  # in eager mode there is none
    if tree is None:
        return [job_id], []
    prefix, places = members.prefix_of(job_id, tree), await members.unended(connection, job_id, tree)
    awaited = {place: event for place in places if (event := _event_of(_at(tree, place)))}
    takers = [f"{prefix}{place}" for place, event in awaited.items() if event == name]
    return takers, sorted({*awaited.values()} - {name})


def _at(tree: Tree, place: str) -> Tree:
    for number in place.split(".") if place != "-" else ():
        tree = dict(members.inside(tree, ""))[number]
    return tree


def _event_of(node: Tree) -> str:
    """What a member of a workflow waits for; '' if that is no event."""
    named = (*node.get("args", ())[:1], node.get("kwargs", {}).get("name", ""))
    return str(named[0]) if node["task"] == wait_for_event.name else ""


async def run_again(connection: Store, job_id: str) -> bool:
    """Run a job with steps that has failed or was revoked again, under its id: what succeeded is kept. False if it has
    no steps, or has not failed.
    """
    if not await connection.hexists(connection.key.RECORD + job_id, "steps"):  # type: ignore[misc]
        return False
    answer = await connection.run_script("resume", job_id)
    if isinstance(answer, bytes):
        raise NotRetried(f"job {text(answer)} has the key of job {job_id}: only one of them may wait or run at a time")
    return bool(answer)

"""Reads a workflow and the times of its steps."""

import contextlib
from datetime import datetime

from ..client.connection import JobsRedis
from ..client.job_info import attempts_of
from ..errors import EncodingError
from ..store.notifications import TERMINAL
from ..store.store import now
from ..store.stored_values import moment, text
from ..workflows import members
from ..workflows.stored_tree import name_of
from .workflow_steps import steps_of
from .workflow_times import Timeline

_FIELDS = ["state", "parked", "queue", "log", "enqueued", "due", "finished"]


async def timeline(connection: JobsRedis, workflow_id: str) -> Timeline | None:
    """Where the time of a workflow went until it ended, or until now. None: that is no workflow that this version can
    read, or its result has ended."""
    tree = None
    with contextlib.suppress(EncodingError):
        tree = await members.tree_of(connection, workflow_id)
    if tree is None:
        return None
    record: list[bytes | None] = await connection.hmget(connection.key.RECORD + workflow_id, _FIELDS)  # type: ignore[misc]
    own, parked, queue, log, *times = record
    called, due, ended = map(moment, times)
    has_ended = text(own) in TERMINAL or not called  # a record is forgotten only after the end
    root = await steps_of(connection, workflow_id, members.prefix_of(workflow_id, tree), tree, has_ended)
    state = "STARTED" if parked else text(own) or ("PENDING" if called else root.state)
    at = (ended or root.ended) if has_ended else await now(connection)
    pauses = _pauses(log or b"", due)
    return Timeline(workflow_id, name_of(tree), state, text(queue), called or root.called, due, at, pauses, root)


def _pauses(log: bytes, due: datetime | None) -> list[tuple[datetime, datetime]]:
    """From each failure until somebody retried the workflow; the last time was when it became due."""
    failed = [one for one in attempts_of(log) if one.outcome in TERMINAL and due and (one.ended or due) <= due]
    again = [*(one.started for one in failed[1:]), due]
    return [(one.ended or later, later) for one, later in zip(failed, again, strict=False) if later]

"""What a job has of a unique task's key, in a sentence: which calls are this job, until when, and how many were."""

from datetime import datetime, timedelta

from ...client.connection import JobsRedis
from ...store.store import now
from ...store.stored_values import moment, text, whole
from ...tasks.unique import ALL, WHOLE
from ...values.short_text import count, time_text

ENDS = {"end": "until it ends", "start": "until a worker starts it", "debounce": "until it starts"}


async def key_of(connection: JobsRedis, job_id: str) -> tuple[str, datetime | None]:
    """The sentence, and when the job will not have the key any more, if that is known. '' of a job without a key to
    which nothing was folded."""
    fields = ["unique", "folded", "task", "due", "latest"]
    record = await connection.hmget(connection.key.RECORD + job_id, fields)  # type: ignore[misc]
    unique, folded, task, due, latest = record
    kind, names, key = [*text(unique).split(" ", 2), "", "", ""][:3]
    n = whole(folded)
    calls = f"{count(n, 'call')} {'was' if n == 1 else 'were'} folded into this job" if n else ""
    if not key or text(await connection.get(connection.key.UNIQUE + key)) != job_id:
        return calls, None
    same = {ALL: " with the same arguments", WHOLE: ""}.get(names, f" with the same {names.replace(',', ' and ')}")
    until = moment(due) if kind == "debounce" else None
    if kind == "window":
        until = await now(connection) + timedelta(milliseconds=await connection.pttl(connection.key.UNIQUE + key))
    ends = ENDS.get(kind) or f"until {time_text(until)}"
    moved = ""
    if kind == "debounce":
        moved = "; each such call moves it" + (f", to {time_text(moment(latest))} at the latest" if latest else "")
    held = f"each call of {text(task)}{same} is this job {ends}{moved}"
    return f"{held}; {calls}" if calls else held, until

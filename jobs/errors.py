"""Every exception of the library, which exports them all. Their names are stored: `jobs.errors.TaskRevoked`."""

import contextlib
import re
from typing import Any

with contextlib.suppress(ImportError):  # jobs/workflows/canvas.py needs no redis-py: then it is Python's own
    from redis.exceptions import ConnectionError


class QuarqError(Exception):
    """Everything that the library raises by itself."""


class NotConnected(QuarqError):
    """There is no default connection."""


class NotAwaited(QuarqError):
    """A plain `def` task called what must be awaited, or `.blocking` was called where an event loop runs.
    Nothing was done; the text says what to write."""


class QueueUnavailable(QuarqError, ConnectionError):
    """Redis did not answer, or refuses: the text says why. It is redis-py's ConnectionError, too."""


class UnknownTask(QuarqError):
    """No task of that name is registered here."""


class UnknownSchedule(QuarqError):
    """No worker has ever declared a schedule of that name."""


class SettingsMistake(QuarqError):
    """An option of `@task`, a worker or a schedule that does not exist, or a value it cannot have."""


class WrongValue(QuarqError, ValueError):
    """An option of a call with a value that it cannot have. One of the wrong type is a TypeError."""


class BadRedisURL(SettingsMistake):
    """A text that is no address of a Redis. `reason` says why; nothing of the text is shown but its scheme."""

    def __init__(self, url: object, reason: str) -> None:
        scheme = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,20}://)", url) if isinstance(url, str) else None
        super().__init__(f"the Redis URL '{scheme[1] if scheme else ''}***' {reason}")
        self.reason = reason


class NotUnique(QuarqError):
    """A job with the same key has not ended, or was called in the same window. `id` is that job's. `results` are those
    of all calls of `apply_many`, of which the others are stored."""

    def __init__(self, task: str, id: str) -> None:
        super().__init__(task, id)
        self.id = id
        self.results: list[Any] = []

    def __str__(self) -> str:
        why = f"{self.args[0]}: not called, as job {self.id} has the key of this call"
        return f"{why}: wait for that one; as a member of a workflow, let a task of it call this one"


class EncodingError(QuarqError):
    """A value that cannot travel through Redis."""


class TooLarge(EncodingError):
    """A value over the size limit."""


class DoesNotFit(EncodingError):
    """An argument or a result that is not what its annotation says. A job that ends in it is not tried again."""


class ResultUnknown(QuarqError):
    """Nobody has seen this id, or its result has ended."""


class NotRetried(QuarqError):
    """There is nothing that an operator could run again; the message says why."""


class TaskRevoked(QuarqError):
    """The job was revoked or had expired."""

    @property
    def expired(self) -> bool:
        """Had its time passed before it could start?"""
        return str(self).endswith(" had expired")


class WorkerLost(QuarqError):
    """The job ended because the workers that ran it died."""


class RemoteError(QuarqError):
    """What a task raised, where its class is not known here: `name` is the class, `message` its text.

    A class of an application comes back as itself if it is in the `raises=` (or `autoretry_for=`) of a task that this
    process has: nothing is imported because of what is in Redis.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message

    def __str__(self) -> str:
        module, _, own = self.name.rpartition(".")
        hint = f" (to get {own} itself, name it in the task's raises=)" if module else ""
        return f"{self.name}: {self.message}{hint}"


class MaxRetriesExceeded(QuarqError):
    """The task asked for one retry more than `max_retries` allows."""


class StepChanged(DoesNotFit):
    """A step that is recorded was another one: the code has changed since, or calls it in another order."""


class StepsFull(QuarqError):
    """A job has as many steps, or as many bytes of them, as it may have."""


class EventRefused(QuarqError):
    """No event reaches this job: it has ended, or nobody has seen it."""


class TimeLimitExceeded(QuarqError, TimeoutError):
    """The task ran past its `time_limit`, in seconds."""


class SoftTimeLimitExceeded(QuarqError):
    """The task has reached its `soft_time_limit`; what it does now counts against `time_limit`."""


class Retry(QuarqError):
    """Run this job again `countdown` seconds from now; `exc` is why."""

    def __init__(self, exc: BaseException | None = None, countdown: float | None = None, **of_arq: Any) -> None:
        if countdown is None or of_arq:
            raise TypeError("Retry: call self.retry(countdown=...), or raise arq.Retry(defer=...)")
        super().__init__(exc, countdown)
        self.exc = exc
        self.countdown = countdown

    def __str__(self) -> str:
        return f"retry in {self.countdown:g} s: {self.exc!r}"

"""docs/options.md, made from the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import jobs
import jobs.testing
from jobs import errors
from jobs.client.connection import ConnectionKeywords
from jobs.client.job_info import Attempt, JobInfo, JobRecord
from jobs.tasks.call_options import CallOptions, ManyOptions, TaskKeywords
from jobs.tasks.current import Request
from jobs.tasks.options import TaskOptions
from jobs.worker.worker_options import WorkerKeywords, WorkerOptions
from settings import ROOT
from tests.reference import commands
from tests.reference.described import Field, fields_of, members, one_line, signature_of

PAGE = ROOT / "docs" / "options.md"

INTRODUCTION = """# Options, methods and errors

Every option, method and error, made from the code by `python -m tests.reference`.
[Reference](reference.md) has the same with types. Times are in seconds, or a `timedelta`.
"""


OF_THE_DECORATOR = (
    Field("name", "str | None", "Stored with every call, so choose one for good. None: `module.function`."),
    Field("bind", "bool", "The function's first argument is its CurrentJob."),
)
"""Options that `@task` itself reads."""
OF_THE_WORKER = (
    Field("redis_url", "str", "The Redis: `redis://`, `rediss://` (TLS) or `unix://`. Required."),
    Field("tasks", "Iterable[Task]", "The tasks that it runs."),
    Field("functions", "Sequence", "Functions of arq that it runs, unchanged."),
    Field("cron_jobs", "Sequence", "What `crontab()`, `every()` and arq's `cron()` make."),
    Field("queues", "Sequence[str]", "Served in this order, the first always before the second; None: `default`."),
)
"""Options that `worker_settings` itself reads."""


def page() -> str:
    parts = [INTRODUCTION, *(f"## {title}\n\n{text}" for title, text in sections().items())]
    return "\n".join(parts)


def sections() -> Mapping[str, str]:
    """Each heading with what is below it."""
    workflows = (jobs.Signature, jobs.group, jobs.chain, jobs.chord)
    return {
        "`@task(...)`": options(TaskOptions, [TaskKeywords], OF_THE_DECORATOR),
        "`apply_async(...)`": options(CallOptions, [ManyOptions, CallOptions]),
        "`worker_settings(...)`": options(WorkerOptions, [WorkerKeywords], OF_THE_WORKER),
        "`connect(redis_url, ...)`": options(ConnectionKeywords, [ConnectionKeywords]),
        "Tasks": methods(jobs.Task, "run", "run_now", "with_options"),
        "Results": methods(jobs.Result) + "\n`AsyncResult` is the same class, by Celery's name.\n",
        "`blocking`, for plain code": "".join(
            map(described, (jobs.blocking.connect, jobs.blocking.first, jobs.blocking.send_task))
        ),
        "`schedules`": "".join(map(described, (getattr(jobs.schedules, name) for name in verbs_of_schedules())))
        + "\nA `ScheduleInfo`:\n\n"
        + attributes(jobs.schedules.ScheduleInfo),
        "`await result.info()`": attributes(JobRecord, JobInfo) + "\nEach of its `history`:\n\n" + attributes(Attempt),
        "Workflows": "".join(map(described, workflows)) + "\nAll four have:\n\n" + methods(jobs.Signature),
        "The running job: `self`, `current_job()`": attributes(jobs.CurrentJob) + methods(jobs.CurrentJob),
        "`self.request`": attributes(Request),
        "Middleware": methods(jobs.Middleware) + "\nThe `call`, an `OutgoingCall`:\n\n" + attributes(jobs.OutgoingCall),
        "Everything else in `quarq_jobs`": "".join(map(described, the_rest())),
        "`quarq_jobs.testing`": testing(),
        "Commands": commands.section(),
        "Errors": "".join(map(described, errors_of_the_library())),
    }


def verbs_of_schedules() -> list[str]:
    return [name for name in jobs.schedules.__all__ if name not in ("ScheduleInfo", "blocking")]


def the_rest() -> Iterator[Any]:
    """What is exported and has no part of its own."""
    apart = {
        "blocking",
        "schedules",
        "AsyncResult",
        "CurrentJob",
        "Middleware",
        "OutgoingCall",
        "Result",
        "Signature",
        "Task",
        "task",
    }
    apart |= {"chain", "chord", "group", *(kind.__name__ for kind in errors_of_the_library())}
    return (getattr(jobs, name) for name in jobs.__all__ if name not in apart)


def errors_of_the_library() -> list[type]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.QuarqError)]


def testing() -> str:
    found = [getattr(jobs.testing, name) for name in jobs.testing.__all__]
    return "".join(described(one) + (methods(one) if inspect.isclass(one) else "") for one in found)


def options(kind: type, keywords: Sequence[type], more: Sequence[Field] = ()) -> str:
    """A table of options: *more*, then the fields of *keywords*, with the texts and defaults that *kind* has."""
    own = {field.name: field for field in (*fields_of(*keywords, kind), *more)}
    defaults = {field.name: field.default for field in fields(kind)} if is_dataclass(kind) else {}
    head = ("option", "type", *(["default"] if defaults else []), "what it does")
    rows = [head, ("---",) * len(head)]
    for name, typed in ((field.name, field.type) for field in (*more, *fields_of(*keywords))):
        assert own[name].text, f"{kind.__name__} says nothing of {name}: write a docstring below it"
        default = [f"`{defaults[name]!r}`" if name in defaults else ""] if defaults else []
        rows.append((f"`{name}`", f"`{typed}`", *default, own[name].text))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def attributes(*classes: type) -> str:
    """The fields of classes, with what is written below them; what a class says of all is above."""
    about = " ".join(one_line(cls.__doc__) for cls in classes)
    lines = [
        f"- `{one.name}{': ' * bool(one.type)}{one.type}`{': ' * bool(one.text)}{one.text}\n"
        for one in fields_of(*classes)
    ]
    return f"{about}\n\n{''.join(lines)}"


def methods(kind: type, *without: str) -> str:
    shown = [(name, member) for name, member in members(kind) if name not in without]
    return "".join(f"- `{signature_of(name, member)}`: {text_of(name, member)}\n" for name, member in shown)


def described(one: Any) -> str:
    """A function or a class, by how it is called."""
    name = one.__name__
    called = signature_of(name, one) if takes_arguments(one) else name
    return f"- `{called}`: {text_of(name, one)}\n"


def takes_arguments(one: Any) -> bool:
    is_error = inspect.isclass(one) and issubclass(one, BaseException)
    return callable(one) and not is_error


def text_of(name: str, one: Any) -> str:
    text = one_line(inspect.getdoc(one))
    assert text, f"{name} has no docstring"
    return text

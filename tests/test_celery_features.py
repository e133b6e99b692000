"""docs/celery-features.md has a line for each name of Celery and Flower, and names of ours that exist."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import arq.cli
import click
import pytest

import jobs
import pytest_quarq_jobs
from jobs import commands, monitor, monitor_site, testing
from jobs.client.connection import JobsRedis
from jobs.client.decorator import Task
from jobs.store.redis_url import RedisURL
from jobs.tasks.current import Request
from jobs.worker.execution.claimed_job import FAILURE, PENDING, RETRY, REVOKED, STARTED, SUCCESS
from jobs.worker.settings import worker_settings
from jobs.worker.worker import Worker
from settings import ROOT

PAGE = (ROOT / "docs" / "celery-features.md").read_text()
RECORDED = json.loads((ROOT / "tests" / "celery_names.json").read_text())
TABLES = {
    "The module `celery`": "module",
    "Options of `@task`": "decorator",
    "Attributes and methods of a task": "task",
    "`self.request`": "request",
    "Options of `apply_async`": "call",
    "Results": "result",
    "Workflows": "canvas",
    "Celery: methods of signatures and workflows": "signature",
    "The application object": "app",
    "Settings": "settings",
    "Signals": "signals",
    "States": "states",
    "Exceptions": "exceptions",
    "Schedules": "schedules",
    "Celery: an entry of the schedule": "entries",
    "Programs": "programs",
    "Celery: options of the worker": "worker",
    "Celery: options of beat": "beat",
    "Celery: options of commands": "command options",
    "Celery: `inspect`": "inspect",
    "Celery: `control`": "control",
    "Events": "events",
    "Celery: serializers": "serializers",
    "Celery: brokers": "brokers",
    "Celery: result backends": "backends",
    "Celery: pools": "pools",
    "Extensions": "extensions",
    "Flower": "flower",
}
"""A table, by its own heading or that of its section -> the recorded names it has lines for."""

SPAN = re.compile(r"`([^`]+)`")
SEE = re.compile(r"See `([^`]+)`")
CALL = re.compile(r"(?:await )?@?(?P<path>[\w.]+)(?:\((?P<arguments>[^)]*)\))?")


class Row(NamedTuple):
    names: list[str]
    verdict: str
    here: str


def tables() -> Iterator[tuple[str, list[Row]]]:
    """Each table of the page, by its title."""
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        heading, _, text = section.partition("\n")
        for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
            first, _, *lines = table.splitlines()
            title = first.split("|")[1].strip()
            cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
            yield (
                title if title not in ("Celery", "Flower") else heading,
                [Row(SPAN.findall(left), verdict, here) for left, verdict, here in cells],
            )


FOUND = dict(tables())
ROWS = [(title, row) for title, rows in FOUND.items() for row in rows]


def test_each_table_is_held_against_recorded_names() -> None:
    assert FOUND.keys() == TABLES.keys()
    assert {"version", *TABLES.values()} == RECORDED.keys()
    assert f"Celery {'.'.join(RECORDED['version'].split()[1].split('.')[:2])} and Flower" in PAGE


@pytest.mark.parametrize("title", TABLES)
def test_each_name_of_celery_has_one_line(title: str) -> None:
    names, rows = RECORDED[TABLES[title]].split(", "), FOUND[title]

    lines = {name: [row for row in rows if any(fnmatchcase(name, given) for given in row.names)] for name in names}

    assert {name: len(found) for name, found in lines.items() if len(found) != 1} == {}
    for given in (given for row in rows for given in row.names):
        assert any(fnmatchcase(name, given) for name in names), f"Celery has no {given}"


def test_each_line_has_a_verdict_and_names_what_is_here() -> None:
    for title, row in ROWS:
        assert row.verdict in ("alike", "differently", "not there"), (title, row)
        named = " ".join(SPAN.findall(row.here))
        assert named or row.verdict == "not there", (title, row)
        if row.verdict == "alike":  # each under its own name
            assert {name.split()[-1].strip("/") for name in row.names} <= set(re.findall(r"--[\w-]+|\w+", named)), row


class Sample:
    """One of what the right column speaks of: attributes that an object gets when it is made are there, too."""

    multiply = Task(lambda x, y: x * y, "multiply", jobs.tasks.options.TaskOptions())
    result = jobs.Result("an id")
    self = jobs.CurrentJob(multiply, Request("an id", "multiply"))
    Signature = multiply.s()
    group = jobs.group(multiply.s(1, 2))
    chain = jobs.chain(multiply.s(1, 2))
    chord = jobs.chord([multiply.s(1, 2)], multiply.s())
    JobInfo = monitor.JobInfo
    JobDetail = monitor_site.JobDetail
    Attempt = monitor.Attempt
    apply_async = multiply.apply_async
    monitor = monitor
    testing = testing


TAKES: dict[Any, set[str]] = {
    jobs.task: set(jobs.tasks.options.NAMES) | {"name"},
    Sample.apply_async: {"args", "kwargs", *jobs.tasks.call_options.OPTIONS},
    worker_settings: {*inspect.signature(worker_settings).parameters, *inspect.signature(Worker).parameters},
    jobs.connect: set(inspect.signature(JobsRedis.at).parameters),
    jobs.Signature.set: {"immutable", *jobs.tasks.call_options.OPTIONS},
}
"""What takes its options as **options -> their names."""


def test_each_name_of_ours_exists() -> None:
    spans = {span for _, row in ROWS for span in SPAN.findall(SEE.sub("", row.here))}
    seen = {name for _, row in ROWS for name in SEE.findall(row.here)}

    assert [span for span in sorted(spans) if not any(look(span) for look in LOOKS)] == []
    assert seen <= {name for _, row in ROWS for name in row.names}


def is_command(span: str) -> bool:
    program, *words = span.split()
    if program == "arq":
        options = {word for option in arq.cli.cli.params for word in option.opts}
        return all(word in options or word == "MODULE.WorkerSettings" for word in words)
    if (program, *words[:2]) != ("python", "-m", "quarq_jobs"):
        return False
    command: click.Command = commands.commands
    for word in words[2:]:
        if word[0] == "-":
            if word not in {"--help", *(word for option in command.params for word in option.opts)}:
                return False
        elif isinstance(command, click.Group):
            command = command.commands[word]
        else:
            kinds = [option.type for option in command.params if isinstance(option, click.Argument)]
            choices = [kind.choices for kind in kinds if isinstance(kind, click.Choice)]
            if choices and word not in choices[0] and not word.isupper() and word != "none":
                return False
    return True


def is_address(span: str) -> bool:
    if re.match(r"\w+://", span):
        return bool(RedisURL.read(span))
    pages = (ROOT / "docs" / "pages.md").read_text()
    return f"| `{span}` |" in pages


def is_ours(span: str) -> bool:
    """A dotted path, with the names of arguments that it takes."""
    if (call := CALL.fullmatch(span)) is None:
        return False
    first, *rest = call["path"].split(".")
    thing: Any = getattr(Sample, first, None) or getattr(jobs, first, None) or getattr(pytest_quarq_jobs, first, None)
    if thing is None:
        return False
    for name in rest:
        if not hasattr(thing, name) and name not in getattr(thing, "__dataclass_fields__", {}):
            return False
        thing = getattr(thing, name, None)
    names = re.findall(r"(\w+)=", call["arguments"] or "")
    return all(name in takes(thing) for name in names) and (not names or thing is not None)


def takes(thing: Callable[..., Any]) -> set[str]:
    return TAKES.get(getattr(thing, "__func__", thing)) or TAKES.get(thing) or set(inspect.signature(thing).parameters)


STATES = {"UNKNOWN", PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED}
OTHERS = {
    "async def", "def", "functools.partial(task, on_failure=...)", "return await result.get()", "call_next", "around",
    "breakpoint()", "python -m asyncio", "transaction.on_commit", "--json", "--scheduled",
}  # fmt: skip
"""Python, and words of a name that the same line has."""

LOOKS = (is_command, is_address, is_ours, STATES.__contains__, OTHERS.__contains__)

"""docs/options.md is what the code says of itself, and leaves nothing out."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import jobs
import jobs.testing
from jobs import errors
from jobs.client import connection
from jobs.commands import commands
from jobs.tasks.call_options import OPTIONS
from jobs.tasks.options import TaskOptions
from jobs.worker.worker_options import CHECKS
from settings import ROOT
from tests.reference.commands import commands_of
from tests.reference.page import PAGE, page


def public(kind: type) -> set[str]:
    return {
        name for cls in kind.__mro__[:-1] if cls.__module__.startswith("jobs") for name in vars(cls) if name[0] != "_"
    }


def named_in(title: str) -> set[str]:
    """What the rows and the items of a part are about."""
    part = PAGE.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    items = re.findall(r"^(?:- |\| )`(?:await |async for \.\.\. in )?([\w.]+)", part, re.MULTILINE)
    assert items, title
    return set(items)


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.reference"


def test_every_name_is_there() -> None:
    """Taken from the objects themselves, not from the sources that the page is made of."""
    everywhere = set(re.findall(r"\w+", PAGE.read_text()))

    assert named_in("`@task(...)`") == {field.name for field in fields(TaskOptions)} | {"name"}
    assert named_in("`apply_async(...)`") == OPTIONS
    assert named_in("`worker_settings(...)`") == {"redis_url", *CHECKS}
    assert named_in("`connect(redis_url, ...)`") == connection.ConnectionKeywords.__annotations__.keys()
    assert public(jobs.Result) <= named_in("Results")
    assert public(jobs.Signature) <= everywhere
    assert set(jobs.__all__) <= everywhere
    assert set(jobs.testing.__all__) <= named_in("`quarq_jobs.testing`")
    assert {
        name for name, one in vars(errors).items() if inspect.isclass(one) and one.__module__ == errors.__name__
    } == (named_in("Errors"))
    assert len(list(commands_of(commands))) > 10
    assert {words for words, _ in commands_of(commands)} <= set(
        re.findall(r"^- `(.+?)(?: [A-Z{\[].*)?`:", PAGE.read_text(), re.M)
    )


def test_the_reference_has_every_public_name() -> None:
    """mkdocstrings shows the members of each class, and all of `jobs.errors`."""
    listed = set(re.findall(r"^::: [\w.]+\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE))

    assert set(jobs.__all__) - listed - vars(errors).keys() == {"AsyncResult"}  # Result, by Celery's name

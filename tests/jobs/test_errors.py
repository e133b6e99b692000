"""Which exceptions there are, and that users can import each one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import jobs
from jobs import errors, monitor

INTERNAL = {
    "jobs.workflows.members": {"Parked", "Revoked", "MemberFailed"},  # how an evaluation ends, inside a worker
    "jobs.values.shapes.shape": {"Misfit"},  # which becomes DoesNotFit, with the names of task and argument
    "jobs.contrib.durable.log": {"ClaimLost"},  # the run is over, and its outcome is dropped
    "jobs.monitor_site.web.messages": {"Refused"},  # the page shows it
    "jobs.commands.frame": {"Unavailable"},  # click shows it, and makes exit code 69 of it
}


def exceptions_of(module: str) -> Iterator[type[BaseException]]:
    for item in vars(importlib.import_module(module)).values():
        if isinstance(item, type) and issubclass(item, BaseException) and item.__module__ == module:
            yield item


PUBLIC = sorted(exceptions_of("jobs.errors"), key=lambda error: error.__name__)


@pytest.mark.parametrize("error", PUBLIC)
def test_each_is_exported_with_a_docstring(error: type[Exception]) -> None:
    assert error.__name__ in jobs.__all__
    assert getattr(jobs, error.__name__) is error
    assert error.__doc__
    assert issubclass(error, jobs.QuarqError)


def test_there_are_no_others() -> None:
    found = {info.name for info in pkgutil.walk_packages(jobs.__path__, "jobs.")}
    modules = found - {"jobs.__main__", "jobs.contrib.django_tasks"}  # Django is not in this environment
    others = {module for module in modules if any(not e.__name__.startswith("_") for e in exceptions_of(module))}

    assert len(modules) > 100
    assert others == {"jobs.errors", *INTERNAL}
    assert monitor.NotRetried is errors.NotRetried

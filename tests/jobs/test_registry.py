"""Tasks by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs import registry
from jobs.errors import SettingsMistake, UnknownTask


class Named:
    """The least that can be registered: a function with a name of its own."""

    def __init__(self, function: Any, name: str) -> None:
        self.__wrapped__ = function
        self.name = name

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return await self.__wrapped__(*args, **kwargs)


async def send() -> None: ...


async def receive() -> None: ...


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    yield
    for name in ("tests.send", "tests.receive"):
        if name in dict(registry.registered()):
            registry.forget(name)


def test_a_task_is_found_by_its_name():
    task = registry.register(Named(send, "tests.send"))

    assert registry.lookup("tests.send") is task


def test_a_renamed_task_still_answers_to_its_old_names():
    task = registry.register(Named(send, "tests.send"), aliases=["tests.old", "tests.older"])

    assert registry.lookup("tests.old") is registry.lookup("tests.older") is task


def test_two_tasks_with_one_name_are_refused():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(
        SettingsMistake, match=r"two tasks are named 'tests\.send': \S+\.send and \S+\.receive"
    ):
        registry.register(Named(receive, "tests.send"))


def test_an_alias_cannot_take_the_name_of_another_task():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(SettingsMistake, match=r"tests\.send"):
        registry.register(Named(receive, "tests.receive"), aliases=["tests.send"])
    assert "tests.receive" not in dict(registry.registered())


def test_a_module_that_is_imported_again_replaces_its_tasks():
    registry.register(Named(send, "tests.send"))

    again = registry.register(Named(send, "tests.send"))

    assert registry.lookup("tests.send") is again


def test_a_misspelt_name_is_answered_with_the_nearest():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(
        UnknownTask, match=r"no task named 'tests\.sent' is registered here; did you mean tests\.send"
    ):
        registry.lookup("tests.sent")


def test_an_unknown_name_is_answered_with_the_known_ones():
    registry.register(Named(send, "a.send"))

    with pytest.raises(UnknownTask, match=r"the registered tasks are: .*a\.send"):
        registry.lookup("zzz")


def test_forgetting_a_task_forgets_its_aliases():
    registry.register(Named(send, "a.send"), aliases=["tests.old"])

    registry.forget("a.send")

    with pytest.raises(UnknownTask):
        registry.lookup("tests.old")

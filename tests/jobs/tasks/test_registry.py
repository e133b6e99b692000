"""Tasks by name."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs import task
from jobs.errors import SettingsMistake, UnknownTask
from jobs.tasks import registry
from tests.registered_tasks import forget, registered


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
        if name in registered():
            forget(name)


def test_a_task_is_found_by_its_name():
    task = registry.register(Named(send, "tests.send"))

    assert registry.lookup("tests.send") is task


def test_a_renamed_task_still_answers_to_its_old_names():
    task = registry.register(Named(send, "tests.send"), aliases=["tests.old", "tests.older"])

    assert registry.lookup("tests.old") is registry.lookup("tests.older") is task


def test_two_tasks_with_one_name_are_refused():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(SettingsMistake, match=r"two tasks are named 'tests\.send': \S+\.send and \S+\.receive"):
        registry.register(Named(receive, "tests.send"))


def test_an_alias_cannot_take_the_name_of_another_task():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(SettingsMistake, match=r"tests\.send"):
        registry.register(Named(receive, "tests.receive"), aliases=["tests.send"])
    assert "tests.receive" not in registered()


def test_a_module_that_is_imported_again_replaces_its_tasks():
    registry.register(Named(send, "tests.send"))

    again = registry.register(Named(send, "tests.send"))

    assert registry.lookup("tests.send") is again


def test_a_misspelt_name_is_answered_with_the_nearest():
    registry.register(Named(send, "tests.send"))

    with pytest.raises(
        UnknownTask, match=r"no task named 'tests\.sent' is registered here; did you mean 'tests\.send'"
    ):
        registry.lookup("tests.sent")


def test_an_unknown_name_is_answered_with_the_known_ones():
    registry.register(Named(send, "a.send"))

    with pytest.raises(UnknownTask, match=r"there are: .*a\.send"):
        registry.lookup("zzz")


def test_forgetting_a_task_forgets_its_aliases():
    registry.register(Named(send, "a.send"), aliases=["tests.old"])

    forget("a.send")

    with pytest.raises(UnknownTask):
        registry.lookup("tests.old")


MODULE = """
from jobs import task

@task(name="origin.named")
async def named(): return 1

@task
async def derived(): return 1

def make(n):
    @task
    async def times(x): return x * n
    return times

def application(app):
    @task(name="origin.inner")
    async def inner(): return app
    return inner

make(2)
application(1)
"""


@pytest.fixture
def declaring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that declares tasks; all that its runs declare is forgotten in the end."""
    before = {name for name in registered()}
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "declaring.py"
    path.write_text(MODULE)
    yield path
    sys.modules.pop("declaring", None)
    for name in [name for name in registered() if name not in before]:
        forget(name)


def test_a_module_that_runs_again_declares_its_tasks_again(declaring: Path):
    first = importlib.import_module("declaring")
    again = importlib.reload(first)
    declaring.write_text("# moved down\n\n" + MODULE.replace("return 1", "return 2") + "\n# edited")
    os.utime(declaring, (1, 1))
    edited = importlib.reload(again)
    del sys.modules["declaring"]
    anew = importlib.import_module("declaring")
    as_main = runpy.run_path(str(declaring), run_name="__main__")

    assert edited is again
    assert anew is not first
    assert registry.lookup("origin.named") is as_main["named"]
    assert registry.lookup("declaring.derived") is anew.derived


def test_an_application_factory_may_declare_its_tasks_again(declaring: Path):
    module = importlib.import_module("declaring")

    inner = module.application(2)

    assert registry.lookup("origin.inner") is inner


SECONDS = {
    "a factory": "make(3)",
    "a factory with a default": "def of(n):\n    task(name=None)(lambda x, n=n: x * n)\nof(1)\nof(2)",
    "two lambdas": "task(lambda x: x)\ntask(lambda x: x * 2)",
    "two lambdas of one name": "a = task(name='origin.l')(lambda x: x)\nb = task(name='origin.l')(lambda x: x * 2)",
    "two functions": "@task\nasync def derived(): return 3",
    "two functions of one given name": "@task(name='origin.named')\nasync def other(): return 3",
    "one function name and given name": "@task(name='origin.named')\nasync def named(): return 3",
    "partials": "from functools import partial\nfor n in (1, 2): task(name='origin.p')(partial(pow, n))",
    "a decorator": (
        "def deco(f):\n    def run(x): return f(x)\n    return run\n"
        "@task(name='origin.d')\n@deco\ndef a(x): return x\n"
        "@task(name='origin.d')\n@deco\ndef b(x): return x * 2"
    ),
}


@pytest.mark.parametrize("way", SECONDS)
def test_one_name_belongs_to_one_function_in_a_run_of_a_module(declaring: Path, way: str):
    declaring.write_text(MODULE + "\n" + SECONDS[way])

    with pytest.raises(SettingsMistake, match=r"two tasks are named '.*give one another name"):
        importlib.import_module("declaring")


@pytest.mark.parametrize("way", SECONDS)
def test_the_same_in_a_script(declaring: Path, way: str):
    declaring.write_text(MODULE + "\n" + SECONDS[way])

    with pytest.raises(SettingsMistake, match=r"two tasks are named '.*give one another name"):
        runpy.run_path(str(declaring), run_name="__main__")


def test_what_has_no_name_of_its_own_needs_one():
    with pytest.raises(SettingsMistake, match="name=''"):
        task(partial(pow, 2))


def test_a_prompt_may_declare_anything_again():
    typed = "from jobs import task\n@task(name='origin.typed')\nasync def typed(): return {}\n"
    scope: dict[str, Any] = {"__name__": "__main__"}
    for number in range(3):
        exec(compile(typed.format(number), f"<cell {number}>", "exec"), scope)

    assert registry.lookup("origin.typed") is scope["typed"]
    forget("origin.typed")

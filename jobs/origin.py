"""Where a task was declared, and whether a second declaration of its name is the same task again.

It is the same task when a module runs again: after `importlib.reload`, imported a second time, run as `__main__` and
imported by its name, or typed anew at a prompt. Within one run of a module a name belongs to one function.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Any


@dataclass(frozen=True, eq=False)
class Origin:
    """A function, and the run of the module that declared it."""

    function: Callable[..., Any]
    module: str
    qualname: str
    code: CodeType | None
    run: object
    """The module's spec, as each import and each reload makes a new one; of a script its globals. None at a prompt."""

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"

    @property
    def own_name(self) -> str:
        """The name of a task that was given none; '' if the function has none."""
        return str(self) if hasattr(self.function, "__qualname__") else ""

    def is_again(self, before: Origin, *, named: bool) -> bool:
        """Is this the same task as the one declared *before*, from a newer run or with nothing changed?

        *named*: the task was given its name. Then a function inside another may be declared each time that the outer
        one is called, and the last counts: an application factory does that.
        """
        if self.function is before.function:
            return True
        if self.qualname != before.qualname or not self._shares_place(before):
            return False
        inner = "<" in self.qualname  # <locals> or <lambda>: several functions may have this name
        if self.run is None or before.run is None:
            if not inner:
                return True
        elif self.run is not before.run:
            return True
        if not inspect.isfunction(self.function) or self.code != before.code:
            return False
        return _are_equal(self._bound(named), before._bound(named))

    def _shares_place(self, other: Origin) -> bool:
        same_file = self.code and other.code and self.code.co_filename == other.code.co_filename
        return self.module == other.module or bool(same_file)

    def _bound(self, named: bool) -> list[object]:
        """What else than its code makes the function: what it takes from the function around it, and its defaults. Of
        one that was given a name only the functions among them."""
        target: Any = _target(self.function)
        taken = [_content(cell) for cell in target.__closure__ or ()]
        codes: list[object] = [value.__code__ for value in taken if inspect.isfunction(value)]
        return codes if named else [*taken, target.__defaults__, target.__kwdefaults__]


def origin_of(task: Any) -> Origin:
    """The origin of a task, or of a function."""
    function = getattr(task, "__wrapped__", task)
    target = _target(function)
    module = getattr(function, "__module__", None) or type(function).__module__
    return Origin(
        function,
        module,
        getattr(function, "__qualname__", type(function).__qualname__),
        getattr(target, "__code__", None),
        _run(target, module),
    )


def _target(function: Any) -> Any:
    """The function inside decorators and partials: its code tells two apart."""
    function = inspect.unwrap(function)
    return _target(function.func) if isinstance(function, partial) else function


def _run(target: Any, module: str) -> object:
    scope = getattr(target, "__globals__", None) or vars(sys.modules.get(module, sys))
    if scope.get("__spec__") is not None:
        return scope["__spec__"]
    return None if hasattr(sys, "ps1") or "__file__" not in scope else scope


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _are_equal(these: list[object], those: list[object]) -> bool:
    try:
        return these == those
    except Exception:  # values that cannot be compared
        return False

"""Tasks by name: what a worker may run, and what `await signature()` runs here."""

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import CellType
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..errors import SettingsMistake, UnknownTask
from ..store.keys import StoredKey
from ..values import checks
from .limits import key_of
from .options import TaskOptions
from .parameters import Parameters


@dataclass(frozen=True, eq=False)
class Origin:
    """A function, and the run of the module that declared it.

    It is the same task again when a module runs again: after `importlib.reload`, imported a second time, run as
    `__main__` and imported by its name, or typed anew at a prompt. Within one run of a module a name belongs to one
    function.
    """

    function: Any
    target: Any  # The function inside decorators and partials: its code tells two apart.
    module: str
    qualname: str
    run: object  # The module's spec, as each import and each reload makes a new one; of a script its globals.

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"

    @property
    def own_name(self) -> str:
        """The name of a task that was given none; '' if the function has none."""
        return str(self) if hasattr(self.function, "__qualname__") else ""

    def is_again(self, before: "Origin", *, named: bool) -> bool:
        """Is this the same task as the one declared *before*, from a newer run or with nothing changed? A *named* one
        may be declared each time that the function around it is called, as by an application factory: the last counts.
        """
        if self.function is before.function:
            return True
        if self.qualname != before.qualname or not {self.module, self._file} & {before.module, before._file}:
            return False
        if self.run is not before.run:
            return True
        try:
            return inspect.isfunction(self.function) and self._content(named) == before._content(named)
        except Exception:  # values that cannot be compared, or no function before
            return False

    @property
    def _file(self) -> object:
        return self.target.__code__.co_filename if hasattr(self.target, "__code__") else self

    def _content(self, named: bool) -> list[object]:
        """The code, and what the function has from the one around it; of a named task only the functions among that."""
        taken = [cell.cell_contents for cell in self.target.__closure__ or () if cell != CellType()]
        if named:
            return [self.target.__code__, *(value.__code__ for value in taken if inspect.isfunction(value))]
        return [self.target.__code__, *taken, self.target.__defaults__, self.target.__kwdefaults__]


def origin_of(task: Any) -> Origin:
    function = target = getattr(task, "__wrapped__", task)
    while (inner := target.func if isinstance(target, partial) else inspect.unwrap(target)) is not target:
        target = inner
    module = getattr(function, "__module__", None) or type(function).__module__
    qualname = getattr(function, "__qualname__", type(function).__qualname__)
    scope = getattr(target, "__globals__", None) or vars(sys.modules.get(module, sys))
    run = scope.get("__spec__") or scope
    # At a prompt each declaration is a run, but for <locals> and <lambda>: several share a name.
    if run is scope and "<" not in qualname and (hasattr(sys, "ps1") or "__file__" not in scope):
        run = object()
    return Origin(function, target, module, qualname, run)


@runtime_checkable
class RegisteredTask(Protocol):
    """What @task registers: awaiting a call of it runs it here."""

    function: Callable[..., Any]
    name: str
    options: TaskOptions
    parameters: Parameters
    declared_in: str  # The module that made it a task.

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


T = TypeVar("T", bound=RegisteredTask)

_tasks: dict[str, RegisteredTask] = {}
_origins: dict[str, Origin] = {}


def register(task: T, aliases: Iterable[str] = ()) -> T:
    """Make *task* known by its names. SettingsMistake: another task has one, not the same one declared again."""
    names, origin = (task.name, *aliases), origin_of(task)
    for name in names:
        before = _origins.get(name)
        if before is not None and not origin.is_again(before, named=name != origin.own_name):
            raise SettingsMistake(f"two tasks are named {name!r}: {before} and {origin}; give one another name: name=")
    _tasks.update(dict.fromkeys(names, task))
    _origins.update(dict.fromkeys(names, origin))
    return task


def lookup(name: str) -> RegisteredTask:
    """The task of that name or alias; UnknownTask says which names are near, or known."""
    try:
        return _tasks[name]
    except KeyError:
        known = checks.hint(name, [*_tasks]) if _tasks else "import the modules that declare tasks first"
        raise UnknownTask(f"no task named {name!r} is registered here; {known}") from None


def find(name: str) -> RegisteredTask | None:
    """The task of that name or alias; None if this process has none."""
    return _tasks.get(name)


def unique_key(task: RegisteredTask | None, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StoredKey | tuple[()]:
    """The key of a call; () if its task is not unique."""
    if task is None or task.options.unique is None:
        return ()
    return task.options.unique.key(task.name, task.parameters.by_name(args, kwargs))


def limit_keys(task: RegisteredTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The keys of a call in the limits of its task, as its record has them; '' if those ask for none."""
    if not (asked := task.options.limit_keys):
        return ""
    values = task.parameters.by_name(args, kwargs)
    return "|".join(key_of(per, values) for per in asked)

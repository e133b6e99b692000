"""Tasks by name: what a worker may run, and what `await signature()` runs here."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..errors import SettingsMistake, UnknownTask
from ..values import checks
from .options import TaskOptions
from .origin import Origin, origin_of
from .parameters import Parameters


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

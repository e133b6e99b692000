"""Attributes that Celery's objects have and ours do not: the error says what to write instead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

_OF_RESULTS: Final = {
    **dict.fromkeys(("result", "join", "join_native", "maybe_throw", "wait"), "write `get()`"),
    **dict.fromkeys(("collect", "iterate"), "write `as_completed()`"),
    **dict.fromkeys(("queue", "retries", "worker"), "`info()` has it"),
    "date_done": "write `info()`, whose `finished` it is",
    "name": "write `info()`, whose `task` it is",
    "parent": "a chain has one result of its own, whose `children()` are the steps",
    "results": "write `children()`",
    "task_id": "write `id`",
    "traceback": "write `info()`: its `history` has that of every attempt",
}
ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    **dict.fromkeys(("Result", "BlockingResult"), _OF_RESULTS),
    "Request": {
        **dict.fromkeys(("correlation_id", "task_id"), "write `id`"),
        "delivery_info": "write `queue`",
        "is_eager": "write `called_directly`",
    },
    "CurrentJob": {
        **{verb: f"write `self.task.{verb}(...)`" for verb in ("apply_async", "delay", "s", "si", "signature")},
        "MaxRetriesExceededError": "it is the exception MaxRetriesExceeded of the library",
        "max_retries": "write `self.task.options.max_retries`",
    },
    "Task": {
        "AsyncResult": "write `result(id)`",
        "apply": "`await` the task itself, called as a function, or use eager() in tests",
        **dict.fromkeys(("request", "retry", "update_state"), "give the task bind=True: its `self` has it"),
        "max_retries": "write `options.max_retries`",
    },
}
"""Of a class: what Celery's has, and what to write here."""


def no_attribute(obj: object, name: str) -> AttributeError:
    """The error of an attribute that is missing."""
    kind = next((cls.__name__ for cls in type(obj).__mro__ if cls.__name__ in ATTRIBUTES), type(obj).__name__)
    hint = ATTRIBUTES.get(kind, {}).get(name, "")
    why = f"{kind!r} object has no attribute {name!r}" + (f": {hint}" if hint else "")
    return AttributeError(why, name=name, obj=obj)


class Explains:
    """An object whose missing attributes are explained."""

    if not TYPE_CHECKING:  # a type checker knows what is missing

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

"""What every node of a workflow is: a value of arguments, which more may come before, and of options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

FORMAT = 1
"""Written into every stored tree; another number when its form changes. What reads it: tree.py."""

CALLBACKS = frozenset({"link", "link_error"})
OF_THE_JOB = CALLBACKS | {"task_id", "countdown", "eta", "expires"}
"""Options that concern a workflow on workers as a whole; its others go where its arguments go."""
OF_A_GROUP = frozenset({"return_exceptions", "max_concurrency"})
OF_THE_NODE = CALLBACKS | OF_A_GROUP | {"task_id"}
"""Options that a workflow inside another keeps to itself."""


@dataclass(frozen=True, init=False, repr=False)
class Partial:
    """A call not yet made, of one task or of many. New arguments go before the ones it has."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    immutable: bool

    def clone(
        self, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """A copy with these arguments, unless it is immutable, and these options."""
        node, args = self.set(**options) if options else self, tuple(args)
        if self.immutable or not (args or kwargs):
            return node
        return node._with(args=(*args, *self.args), kwargs={**self.kwargs, **(kwargs or {})})

    def set(self, *, immutable: bool | None = None, **options: Any) -> Self:
        """A copy with these options; an option that it had is replaced."""
        return self._with(
            options={**self.options, **_normal(options)},
            immutable=self.immutable if immutable is None else immutable,
        )

    def on_error(self, *handlers: Partial) -> Self:
        """A copy that, when it has failed, calls each handler with (request, exception, traceback)."""
        return self.set(link_error=(*self.options.get("link_error", ()), *handlers))

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with a format number: what JSON can carry comes back equal from `tree.from_dict`."""
        return {"format": FORMAT, **self._to_tree()}

    def _to_tree(self) -> dict[str, Any]:
        options = {
            name: [callback._to_tree() for callback in value] if name in CALLBACKS else value
            for name, value in self.options.items()
        }
        rest = {
            "args": list(self.args),
            "kwargs": self.kwargs,
            "options": options,
            "immutable": self.immutable,
        }
        return self._content() | {name: value for name, value in rest.items() if value}

    def _content(self) -> dict[str, Any]:
        """What it is, and what is in it."""
        raise NotImplementedError

    def _fill(self, args: Iterable[Any], options: dict[str, Any], **fields: Any) -> None:
        fields = {"kwargs": {}, "immutable": False, **fields}
        vars(self).update(fields, args=tuple(args), options=_normal(options))

    def _with(self, **fields: Any) -> Self:
        node = object.__new__(type(self))
        vars(node).update(vars(self), **fields)
        return node

    def _is_plain(self) -> bool:
        """Nothing was asked of the node itself, so it may be dissolved in the one around it."""
        return not (self.options or self.immutable)


P = TypeVar("P", bound=Partial)


def nodes_of(given: tuple[P | Iterable[P], ...]) -> list[P]:
    """The nodes of `group(a, b)`, `group([a, b])` and `group(generator)`."""
    several: Iterable[Any] = given[0] if len(given) == 1 and not isinstance(given[0], Partial) else given
    nodes = list(several)
    for node in nodes:
        if not isinstance(node, Partial):
            raise TypeError(
                f"{node!r} is not a signature: workflows are made of calls, such as multiply.s(4)"
            )
    return nodes


def _normal(options: dict[str, Any]) -> dict[str, Any]:
    """The options with callbacks as tuples, where a single one may stand alone."""
    if not options:
        return options
    for name in CALLBACKS & options.keys():
        options[name] = tuple(nodes_of((options[name] or (),)))
    limit = options.get("max_concurrency")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"max_concurrency={limit!r}: it must be a whole number of at least 1, or None")
    return options

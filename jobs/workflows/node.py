"""What every node of a workflow is: a value of arguments, which more may come before, and of options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Self, TypeVar

from ..tasks.blocking_calls import BlockingCalls
from ..tasks.call_options import CALLBACKS, OF_A_GROUP, OPTIONS, checked, merged
from ..values import checks

FORMAT = 1  # Written into every stored tree; another number when its form changes. stored_tree.py reads it.

OF_THE_JOB = CALLBACKS | {"task_id", "countdown", "eta", "expires", "headers"}
"""Options that concern a workflow on workers as a whole; its others go where its arguments go."""
OF_THE_NODE = CALLBACKS | OF_A_GROUP | {"task_id"}  # Options that a workflow inside another keeps to itself.


@dataclass(frozen=True, init=False, repr=False)
class Partial:
    """A call not yet made, of one task or of many. New arguments go before the ones it has."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    immutable: bool

    __class_getitem__ = classmethod(GenericAlias)  # type: ignore[var-annotated]  # types: client/typed_workflows.pyi

    @property
    def blocking(self) -> Any:
        """`blocking.delay()` and `blocking.apply_async()`, for plain code."""
        return BlockingCalls(self)

    def clone(self, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy with these arguments, unless it is immutable, and these options."""
        node, args = self.set(**options) if options else self, checks.positional("args", args)
        if self.immutable or not (args or kwargs):
            return node
        return node._with(args=(*args, *self.args), kwargs={**self.kwargs, **checks.by_name("kwargs", kwargs)})

    def set(self, *, immutable: bool | None = None, **options: Any) -> Self:
        """A copy with these options, those of `apply_async` and of a group; an option that it had is replaced.
        TypeError: an option that does not exist, or a value of the wrong type. WrongValue: one that it cannot have."""
        return self._with(
            options=merged(self.options, _normal(options)),
            immutable=self.immutable if immutable is None else checks.flag("immutable", immutable),
        )

    def on_error(self, *handlers: "Partial") -> Self:
        """A copy that, when it has failed, calls each handler with (request, exception, traceback)."""
        return self.set(link_error=(*self.options.get("link_error", ()), *handlers))

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with a format number. What JSON can carry comes back equal, see stored_tree.py."""
        return {"format": FORMAT, **self._to_tree()}

    def _to_tree(self) -> dict[str, Any]:
        options = {
            name: [callback._to_tree() for callback in value] if name in CALLBACKS else value
            for name, value in self.options.items()
        }
        rest = {"args": list(self.args), "kwargs": self.kwargs, "options": options, "immutable": self.immutable}
        return self._content() | {name: value for name, value in rest.items() if value}

    def _content(self) -> dict[str, Any]:
        """What it is, and what is in it."""
        raise NotImplementedError

    def _fill(self, args: Any, options: Any, kwargs: Any = None, immutable: bool = False, **fields: Any) -> None:
        fields |= {"args": checks.positional("args", args), "kwargs": kwargs or {}, "immutable": immutable}
        vars(self).update(fields, options=_normal(options) if options else {})

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
    several: Any = given
    if len(given) == 1 and isinstance(given[0], Iterable) and not isinstance(given[0], str):
        several = given[0]
    nodes = list(several)
    for node in nodes:
        if not isinstance(node, Partial):
            call = "name its call" if hasattr(node, "s") else "workflows are made of calls"
            raise TypeError(f"{checks.shown(node)} is not a signature: {call}, such as multiply.s(4)")
    return nodes


def with_callbacks(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with callbacks as tuples, where a single one may be given alone."""
    given = CALLBACKS & options.keys() if options else ()
    return {**options, **{name: tuple(nodes_of((options[name] or (),))) for name in given}}


def _normal(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, checked; callbacks as tuples."""
    return with_callbacks(checked(options, OPTIONS | OF_A_GROUP, "a signature"))

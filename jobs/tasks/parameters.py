"""The parameters of a task's function: which arguments a call may have, and what their annotations ask for."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from types import SimpleNamespace
from typing import Any, Optional, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from ..errors import DoesNotFit, EncodingError, SettingsMistake
from ..values import sendable
from ..values.calls import other_names
from ..values.shapes.annotations import Shapes
from ..values.shapes.shape import Misfit, Shape, Way
from .call_options import OPTIONS, advice

ANNOTATED: set[str] = set()  # The tasks of this process that have such annotations, by all their names.

Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
C = TypeVar("C", bound=Any)
RESULT = "return"


class Annotations:
    """Those of one task. Callers and workers that have its code have the same: Redis names no type."""

    def __init__(self, task: str, function: Callable[..., Any], signature: inspect.Signature, strict: bool) -> None:
        self._task, self._strict, self.shapes = task, strict, dict[str, Shape]()
        code: Any = inspect.unwrap(getattr(function, "func", function))  # of a partial
        self._globals = getattr(code, "__globals__", None) or getattr(type(code).__call__, "__globals__", {})
        parameters = signature.parameters.values()
        self._places = [one.name for one in parameters if one.kind not in (one.KEYWORD_ONLY, one.VAR_KEYWORD)]
        kinds = {one.kind: one.name for one in parameters}
        self._rest = kinds.get(inspect.Parameter.VAR_POSITIONAL, "")
        self._more = kinds.get(inspect.Parameter.VAR_KEYWORD, "")
        self._may_be_none = {one.name for one in parameters if one.default is None}
        given = {one.name: one.annotation for one in parameters} | {RESULT: signature.return_annotation}
        self._keywords = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
        self.unresolved = {name: asked for name, asked in given.items() if asked is not inspect.Signature.empty}
        """With a name that is not known yet, or that only type checkers know."""
        self._resolve()
        self._is_settled = not self.unresolved

    def hint(self, name: str) -> str:
        """Why the annotation of what cannot travel does not help."""
        how = "import what it names outside of `if TYPE_CHECKING:`, and define classes at the top of a module"
        why = f"; its annotation {self.unresolved.get(name)!r:.200} has a name that is not known here: {how}"
        return why if name in self.unresolved else ""

    def arguments(self, way: Way, args: Sequence[Any], kwargs: Mapping[str, Any], before: int = 0) -> Arguments:
        """The arguments as they travel, or as the function takes them; *before*: how many others come before them."""
        places = [*self._places[before:], *[self._rest] * len(args)]
        named = {name: name if name in self._keywords else self._more for name in kwargs}
        return (
            tuple(self._one(way, name, name, one) for name, one in zip(places, args, strict=False)),
            {name: self._one(way, named[name], name, one) for name, one in kwargs.items()},
        )

    def applied(self, way: Way, call: C) -> C:
        """The same call or request, with its arguments that way."""
        args, kwargs = self.arguments(way, call.args, call.kwargs)
        return replace(call, args=args, kwargs=kwargs)

    def result(self, way: Way, value: Any) -> Any:
        return self._one(way, RESULT, "", value)

    def _one(self, way: Way, asked: str, name: str, value: Any) -> Any:
        if not self._is_settled:  # now all modules are imported
            self._resolve()
            for unknown in self.unresolved if self._strict else ():
                raise SettingsMistake(f"{self._task}: {unknown!r} cannot be checked{self.hint(unknown)}")
            self._is_settled = True
        shape = self.shapes.get(asked)
        if shape is None or (value is None and not name and not self._strict):
            return value
        try:
            return shape.convert(way, value)
        except Misfit as misfit:
            why = f"{misfit.where and f'at {misfit.where}: '}{misfit}"
        except RecursionError:
            why = "it is nested too deep"
        raise DoesNotFit(f"{self._task}: {f'argument {name!r}' if name else 'its result'}: {why}")

    def _resolve(self) -> None:
        for name, asked in list(self.unresolved.items()):
            holder = SimpleNamespace(__annotations__={name: asked})
            try:
                found = get_type_hints(holder, self._globals, include_extras=True)[name]
                if name == RESULT and get_origin(found) in (Awaitable, Coroutine):
                    found = get_args(found)[-1]
                shape = Shapes(self._strict).of(Optional[found] if name in self._may_be_none else found)  # noqa: UP045
            except SettingsMistake as mistake:
                raise SettingsMistake(f"{self._task}: {name!r}: {mistake}") from None
            except Exception:  # a name that is not known, or what is no type at all
                continue
            self.unresolved.pop(name, None)  # unless another thread was first
            if shape.looked_at:
                self.shapes[name] = shape


class Parameters:
    """Those of *function*, whose first argument is not the caller's if it is *bound*."""

    def __init__(self, task: str, function: Callable[..., Any], *, bound: bool, strict: bool = False) -> None:
        self._task, self._bound = task, bound
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        _check_first(task, next(iter(parameters), None), bound)
        kinds = [parameter.kind for parameter in parameters]
        needed = [parameter.kind for parameter in parameters if parameter.default is parameter.empty]
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        # how many positional arguments alone make a whole call: it saves most calls a slow look
        self._fewest = inf if inspect.Parameter.KEYWORD_ONLY in needed else sum(map(plain.count, needed)) - bound
        self._most = inf if inspect.Parameter.VAR_POSITIONAL in kinds else sum(map(plain.count, kinds)) - bound
        of_caller = self._signature.replace(parameters=[*parameters][bound:])
        asked = Annotations(task, function, of_caller, strict)
        self.of_caller = of_caller.parameters
        self.annotations = asked if asked.shapes or asked.unresolved else None
        """What they ask for, if it is anything: most tasks pay nothing."""

    @property
    def names(self) -> list[str]:
        """Of those that have one value each."""
        several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [name for name, one in self.of_caller.items() if one.kind not in several]

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """TypeError if the function does not take these arguments."""
        if kwargs or not self._fewest <= len(args) <= self._most:
            self.bind(args, kwargs)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments by parameter name; TypeError if the function does not take them."""
        own = (None, *args) if self._bound else args
        try:
            return self._signature.bind(*own, **kwargs).arguments
        except TypeError as error:
            known = {*OPTIONS, *other_names().OF_CALLS} - self._signature.parameters.keys()
            options = [name for name in kwargs if name in known]
            hints = [f"; {name}= is an option: {advice(name, ())}" for name in options[:1]]
            raise TypeError("".join([f"{self._task}: {error}", *hints])) from None

    def by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The same with the defaults, without its CurrentJob."""
        bound = self.bind(args, kwargs)
        return self._defaults | {name: value for name, value in bound.items() if name in self.of_caller}

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        """As they would travel; without those that cannot."""
        found = dict[str, Any]()
        for name, one in self.of_caller.items():
            try:
                given = {} if one.default is one.empty else {name: one.default}
                _, plain = self.annotations.arguments("write", (), given) if self.annotations else ((), given)
                sendable.check(plain)
            except EncodingError:
                continue
            found |= plain
        return found


def _check_first(task: str, first: inspect.Parameter | None, bound: bool) -> None:
    if bound and (first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD)):
        raise SettingsMistake(f"{task}: bind=True gives the job as first argument, and the function takes none")
    if first is not None and not bound and first.name == "ctx" and first.default is first.annotation is first.empty:
        raise SettingsMistake(f"{task}: a task has no ctx: remove it, or write bind=True and self.ctx")

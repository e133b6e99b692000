"""The parameters of a task's function: which arguments a call may have."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from ..errors import SettingsMistake
from ..values.wrong_calls import other_names
from .annotations import Annotations
from .call_options import OPTIONS, advice


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
        self.annotations = asked if asked.shapes or asked.unresolved else None
        """What they ask for, if it is anything: most tasks pay nothing."""

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


def _check_first(task: str, first: inspect.Parameter | None, bound: bool) -> None:
    if bound and (first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD)):
        raise SettingsMistake(f"{task}: bind=True gives the job as first argument, and the function takes none")
    if first is not None and not bound and first.name == "ctx" and first.default is first.annotation is first.empty:
        raise SettingsMistake(f"{task}: a task has no ctx: remove it, or write bind=True and self.ctx")

"""The table of all addresses of the API, to which each module of `paths/` adds its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

from quart import Blueprint, Response
from werkzeug.routing import BaseConverter

from ..acting import Action, done
from ..web import csrf
from . import given
from .answers import BASE, Done, answer
from .refusing import refusals

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
blueprint = Blueprint("api", __name__, url_prefix=BASE)


class NameConverter(BaseConverter):
    """An id or a name, whatever is in it: callers choose them."""

    regex = ".+?"
    part_isolating = False
    weight = 200


@dataclass(frozen=True)
class Endpoint:
    """An address and its method. `path` has its variables in braces."""

    method: str
    path: str
    function: Callable[..., Awaitable[Any]]

    @property
    def name(self) -> str:
        return self.function.__name__

    @cached_property
    def in_path(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @cached_property
    def wanted(self) -> dict[str, given.Wanted]:
        """The parameters that are not in the path."""
        parameters = inspect.signature(self.function).parameters.items()
        return {name: given.wanted(one, self._hints[name]) for name, one in parameters if name not in self.in_path}

    @property
    def returned(self) -> Any:
        """What it answers; an Action: what that does."""
        return self._hints["return"]

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.function, include_extras=True)


ENDPOINTS: list[Endpoint] = []


def read(path: str) -> Callable[[F], F]:
    """Answer a GET of this path with what the function returns."""

    def add(function: F) -> F:
        endpoint = Endpoint("GET", path, function)

        async def view(**variables: str) -> Response:
            values = given.in_path(variables) | given.in_query(endpoint.wanted)
            with refusals():
                return answer(await function(**values))

        _add(endpoint, view)
        return function

    return add


def write(path: str) -> Callable[[F], F]:
    """At a POST to this path, carry out the Action that the function returns, with its entry in the audit log. What is
    no Action is the answer itself."""

    def add(function: F) -> F:
        endpoint = Endpoint("POST", path, function)

        @csrf.json_only
        async def view(**variables: str) -> Response:
            values = given.in_path(variables) | await given.in_body(endpoint.wanted)
            with refusals():
                found = await function(**values)
                return answer(Done.of(await done(found)) if isinstance(found, Action) else found)

        _add(endpoint, view)
        return function

    return add


def _add(endpoint: Endpoint, view: Callable[..., Awaitable[Response]]) -> None:
    ENDPOINTS.append(endpoint)
    rule = re.sub(r"\{(\w+)\}", r"<name:\1>", endpoint.path)
    blueprint.add_url_rule(rule, endpoint.name, view, methods=[endpoint.method], merge_slashes=False)

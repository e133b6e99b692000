"""The table of all addresses of the API, to which each module of `paths/` adds its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
    """An address and its method. `path` has its variables in braces; `wanted`: the parameters that are not in it."""

    method: str
    path: str
    function: Callable[..., Awaitable[Any]]
    wanted: Mapping[str, given.Wanted]
    hints: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def in_path(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)


ENDPOINTS: list[Endpoint] = []


def read(path: str) -> Callable[[F], F]:
    """Answer a GET of this path with what the function returns."""

    def add(function: F) -> F:
        endpoint = _endpoint("GET", path, function)

        async def view(**variables: str) -> Response:
            values = given.in_path(variables) | given.in_query(endpoint.wanted)
            with refusals():
                return answer(await function(**values))

        _add(endpoint, view)
        return function

    return add


def write(path: str) -> Callable[[Callable[..., Awaitable[Action]]], Callable[..., Awaitable[Action]]]:
    """At a POST to this path, carry out the Action that the function returns, with its entry in the audit log."""

    def add(function: Callable[..., Awaitable[Action]]) -> Callable[..., Awaitable[Action]]:
        endpoint = _endpoint("POST", path, function)

        @csrf.json_only
        async def view(**variables: str) -> Response:
            values = given.in_path(variables) | await given.in_body(endpoint.wanted)
            with refusals():
                return answer(Done.of(await done(await function(**values))))

        _add(endpoint, view)
        return function

    return add


def _endpoint(method: str, path: str, function: Callable[..., Awaitable[Any]]) -> Endpoint:
    hints = get_type_hints(function, include_extras=True)
    endpoint = Endpoint(method, path, function, {}, hints)
    parameters = inspect.signature(function).parameters
    others = {name: given.wanted(one, hints[name]) for name, one in parameters.items() if name not in endpoint.in_path}
    return Endpoint(method, path, function, others, hints)


def _add(endpoint: Endpoint, view: Callable[..., Awaitable[Response]]) -> None:
    ENDPOINTS.append(endpoint)
    rule = re.sub(r"\{(\w+)\}", r"<name:\1>", endpoint.path)
    blueprint.add_url_rule(rule, endpoint.name, view, methods=[endpoint.method], merge_slashes=False)

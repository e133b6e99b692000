"""What a request gives to an address of the API: each value is checked against its annotation and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from quart import abort, request

from ...values.checks import HALF
from .. import request_args
from ..web.messages import Message

LONGEST, MOST_ITEMS = 512, 1_000
"""Characters of a text, and items of a list, unless a Given says something else."""


@dataclass(frozen=True)
class Given:
    """What a parameter is, and its limits: of a number the highest and the lowest, of a text its characters, of a list
    its items."""

    text: str
    most: int | None = None
    least: int = 0


NAME = Given("Its name.")
Id = Annotated[str, Given("The id of a job.")]
Cursor = Annotated[str, Given("`next` of the page before; without it, the first page.", 4_000)]
Within = Annotated[Literal["1h", "6h", "24h", "72h"], Given("How far to look back.")]
Limit = Annotated[int, Given("How many rows at most.", 200, 1)]


@dataclass(frozen=True)
class Wanted:
    """A parameter of a function: the types it may have, a Given, and its default; None: it must be given."""

    name: str
    kinds: tuple[Any, ...]
    given: Given
    default: Any
    is_needed: bool


def wanted(parameter: Parameter, annotation: Any) -> Wanted:
    kind, given = get_args(annotation) if get_origin(annotation) is Annotated else (annotation, NAME)
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return Wanted(parameter.name, kinds, given, parameter.default, parameter.default is Parameter.empty)


def in_path(values: Mapping[str, str]) -> dict[str, str]:
    """The ids and names in the address. 404 for one that nothing can have."""
    return {name: request_args.checked(value) for name, value in values.items()}


def in_query(all_wanted: Mapping[str, Wanted]) -> dict[str, Any]:
    """The values of the query string."""
    _refuse_others(all_wanted, request.args)
    if twice := [name for name in request.args if len(request.args.getlist(name)) > 1]:
        _refuse(twice[0], "it is there twice: give it once")
    typed = {name: _read(all_wanted[name], value) for name, value in request.args.items()}
    return _filled(all_wanted, typed)


async def in_body(all_wanted: Mapping[str, Wanted]) -> dict[str, Any]:
    """The values of the body, which is a JSON object; an empty one is `{}`."""
    try:
        body = json.loads((await request.get_data()) or b"{}")
    except RecursionError:
        _refuse("body", "it is nested too deep")
    except ValueError as error:
        _refuse("body", f"it is no JSON: {error}")
    if not isinstance(body, dict):
        _refuse("body", "it is no JSON object: send one, such as {}")
    _refuse_others(all_wanted, body)
    return _filled(all_wanted, {name: _checked(all_wanted[name], value) for name, value in body.items()})


def _refuse_others(all_wanted: Mapping[str, Wanted], given: Mapping[str, Any]) -> None:
    if others := [name for name in given if name not in all_wanted]:
        names = ", ".join(all_wanted) or "none"
        _refuse(others[0], f"there is no such parameter here; there are: {names}")


def _filled(all_wanted: Mapping[str, Wanted], given: Mapping[str, Any]) -> dict[str, Any]:
    if missing := [name for name, one in all_wanted.items() if one.is_needed and name not in given]:
        _refuse(missing[0], "it is missing")
    return {name: given.get(name, one.default) for name, one in all_wanted.items()}


def _read(one: Wanted, typed: str) -> Any:
    """The value of a text in a query string."""
    if bool in one.kinds:
        if typed not in ("true", "false"):
            _refuse(one.name, "write true or false")
        return typed == "true"
    if int in one.kinds:
        is_whole = typed.isascii() and typed.removeprefix("-").isdecimal() and len(typed) < 20
        return _checked(one, int(typed) if is_whole else typed)
    return _checked(one, typed)


def _checked(one: Wanted, value: Any) -> Any:
    """*value*, if it is of one of the kinds, and within the limits."""
    for kind in one.kinds:
        if get_origin(kind) is Literal:
            if value in get_args(kind):
                return value
        elif kind is Any or (kind is NoneType and value is None):
            return value
        elif isinstance(value, get_origin(kind) or kind) and isinstance(value, bool) <= (kind is bool):
            return _within(one, value)
    _refuse(one.name, f"{value!r:.80} is not {said(one)}")


def _within(one: Wanted, value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > (most := one.given.most or LONGEST):
            _refuse(one.name, f"it has {len(value):,} characters: write at most {most:,}")
        if "\0" in value:
            _refuse(one.name, "it has a NUL character")
        if HALF.search(value):
            _refuse(one.name, "it has half of a surrogate pair")
    if isinstance(value, list):
        if len(value) > (most := one.given.most or MOST_ITEMS):
            _refuse(one.name, f"it has {len(value):,} items: give at most {most:,}")
        if not all(isinstance(item, str) and 0 < len(item) <= LONGEST and item.isprintable() for item in value):
            _refuse(one.name, f"each item is a text of 1 to {LONGEST} printable characters")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not one.given.least <= value <= (value if one.given.most is None else one.given.most):
        _refuse(one.name, f"{value!r:.80} is not {said(one)}")
    return value


def said(one: Wanted) -> str:
    """What may be given."""
    words = {str: "a text", bool: "true or false", dict: "an object", list: "a list of texts", NoneType: "null"}
    between = f" from {one.given.least:,}{'' if one.given.most is None else f' to {one.given.most:,}'}"
    words |= {int: f"a whole number{between}", float: f"a number{between}"}
    kinds = [
        f"one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else words[get_origin(kind) or kind]
        for kind in one.kinds
    ]
    return " or ".join(kinds)


def _refuse(name: str, why: str) -> NoReturn:
    abort(400, Message("bad-parameter", f"{name:.80}: {why}"))

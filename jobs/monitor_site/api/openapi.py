"""The OpenAPI file, made of the table of addresses and of what their functions take and return."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..acting import Action
from . import given
from .answers import Done, Failed
from .described import text_of
from .endpoints import ENDPOINTS, Endpoint
from .schemas import Schema, Schemas

ABOUT = (
    "What the pages of the monitor show and do, as JSON. Times are in ISO 8601, in UTC; names of fields in seconds end "
    "with `_s`. Arguments and results are masked as they are on pages. A value that JSON has no form for is its text, "
    "and so is a whole number beyond 2^53. An id or a name in an address is percent-encoded, a slash in it as `%2F`."
)
OF_READS = (400, 404, 503)
OF_WRITES = (400, 403, 404, 409, 413, 415, 503)


@cache
def document() -> dict[str, Any]:
    schemas = Schemas()
    failed = {"description": "It failed: `message` says why.", **_content(schemas.of(Failed))}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in sorted(ENDPOINTS, key=lambda one: (one.path, one.method)):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Quarq monitor", "version": "1", "description": ABOUT},
        "servers": [{"url": "../v1", "description": "Where this file is"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.named.items())), "responses": {"Failed": failed}},
    }


def _operation(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    is_write = endpoint.method == "POST"
    first, _, rest = text_of(endpoint.function).partition(". ")
    parameters = [_in_path(name) for name in endpoint.in_path]
    parameters += [] if is_write else [_in_query(one, schemas) for one in endpoint.wanted.values()]
    returned = Done if endpoint.returned is Action else endpoint.returned
    failures = {
        str(status): {"$ref": "#/components/responses/Failed"} for status in (OF_WRITES if is_write else OF_READS)
    }
    return {
        "operationId": endpoint.name,
        "tags": [endpoint.path.split("/")[1]],
        "summary": first.rstrip("."),
        **({"description": rest} if rest else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(endpoint, schemas)} if is_write else {}),
        "responses": {"200": {"description": "It worked.", **_content(schemas.of(returned))}, **failures},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": given.LONGEST}}


def _in_query(one: given.Wanted, schemas: Schemas) -> dict[str, Any]:
    needed = {"required": True} if one.is_needed else {}
    return {"name": one.name, "in": "query", **needed, "description": one.given.text, "schema": _schema(one, schemas)}


def _body(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    properties = {
        name: _schema(one, schemas) | {"description": one.given.text} for name, one in endpoint.wanted.items()
    }
    needed = [name for name, one in endpoint.wanted.items() if one.is_needed]
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"required": bool(needed), **_content(schema | ({"required": needed} if needed else {}))}


def _schema(one: given.Wanted, schemas: Schemas) -> Schema:
    """With the limits and the default of a parameter."""
    schema = schemas.of(one.kinds[0] if len(one.kinds) == 1 else _union(one.kinds))
    if str in one.kinds:
        schema["maxLength"] = one.given.most or given.LONGEST
    elif int in one.kinds or float in one.kinds:
        schema |= {"minimum": one.given.least} | ({} if one.given.most is None else {"maximum": one.given.most})
    elif list[str] in one.kinds:
        schema["maxItems"] = one.given.most or given.MOST_ITEMS
    return schema if one.is_needed else schema | {"default": {} if dict[str, Any] in one.kinds else one.default}


def _union(kinds: tuple[Any, ...]) -> Any:
    union = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    return union


def _content(schema: Schema) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}

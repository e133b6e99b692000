"""Checks answers of the API against the file."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.openapi.page import described

FILE = "urn:openapi"


def problem(method: str, path: str, status: int, body: Any) -> str:
    """What of an answer is not as the file says; '' if all is. *path*: below `api/v1`, without a query."""
    found = described()["paths"]
    fitting = [one for one in found if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(one)), path)]
    name = max(fitting, key=lambda one: len(re.sub(r"\{\w+\}", "", one)), default="")
    operation = found.get(name, {}).get(method.lower())
    if operation is None:
        return "" if status in (404, 405) else f"{method} {path} is not there"
    if str(status) not in operation["responses"]:
        return f"{method} {name}: {status} is not there"
    at = _pointer("paths", name, method.lower(), "responses", "200")
    validator = _validator("/components/responses/Failed" if status >= 400 else at)
    return "; ".join(f"{error.json_path}: {error.message}" for error in validator.iter_errors(body))


@cache
def _validator(at: str) -> Draft202012Validator:
    schema = {"$ref": f"{FILE}#{at}/content/application~1json/schema"}
    return Draft202012Validator(schema, registry=_registry(), format_checker=FormatChecker())


@cache
def _registry() -> Any:
    """The file, in which no answer may have a field that it does not name."""
    file = deepcopy(described())
    for schema in file["components"]["schemas"].values():
        schema["additionalProperties"] = False
    return Registry().with_resource(FILE, Resource(contents=file, specification=DRAFT202012))


def _pointer(*words: str) -> str:
    return "".join(f"/{word.replace('~', '~0').replace('/', '~1')}" for word in words)

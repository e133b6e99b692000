"""docs/openapi.json is what the code says of itself, a valid OpenAPI 3.1 file, and what is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from jobs.monitor_site.api.endpoints import ENDPOINTS
from settings import ROOT
from tests.jobs.monitor_site.api_client import Program, app_for_tests
from tests.openapi.page import PAGE, described, page

SCHEMA = json.loads((ROOT / "tests" / "vendor" / "openapi-3.1-schema.json").read_text())


def test_the_file_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.openapi"


async def test_it_is_served(redis_url: str) -> None:
    app = app_for_tests(redis_url)
    assert await Program(app, "reading").get("/openapi.json") == json.loads(PAGE.read_text())
    await app.close()


def test_it_is_a_valid_openapi_file() -> None:
    Draft202012Validator(SCHEMA).validate(described())
    for schema in schemas(described()):
        Draft202012Validator.check_schema(schema)
    named, referred = described()["components"]["schemas"], list(references(described()))
    assert {word.rpartition("/")[2] for word in referred if "/schemas/" in word} == named.keys()
    assert {word for word in referred if "/schemas/" not in word} == {"#/components/responses/Failed"}


def test_it_has_every_address_and_all_that_each_takes() -> None:
    paths = described()["paths"]
    operations = {(method.upper(), path): one for path, found in paths.items() for method, one in found.items()}

    assert operations.keys() == {(one.method, one.path) for one in ENDPOINTS}
    assert len({one["operationId"] for one in operations.values()}) == len(operations)
    for endpoint in ENDPOINTS:
        operation = operations[endpoint.method, endpoint.path]
        taken = {(one["in"], one["name"]) for one in operation.get("parameters", ())}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        taken |= {("body", name) for name in body.get("properties", ())}
        place = "body" if endpoint.method == "POST" else "query"
        assert taken == {("path", name) for name in endpoint.in_path} | {(place, name) for name in endpoint.wanted}
        assert operation["summary"], endpoint.path


def test_every_field_says_what_it_is_in_its_name_or_in_words() -> None:
    """Of fields that may be null, or are numbers with a unit, words say what that means."""
    unexplained = [
        f"{name}.{field}"
        for name, schema in described()["components"]["schemas"].items()
        for field, one in schema["properties"].items()
        if field in ("state", "kind", "reason", "code") and "description" not in one and name not in DESCRIBED_ABOVE
    ]
    assert unexplained == []


DESCRIBED_ABOVE = {"Reason", "Attempt", "JobRow", "JobInfo", "WorkflowRow", "WorkflowDetail", "Done", "Failure"}


def schemas(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, inner in node.items():
            if key == "schema":
                yield inner
            yield from inner.values() if key == "schemas" else schemas(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from schemas(inner)


def references(node: Any) -> Iterator[str]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and "$ref" in node:
        yield node["$ref"]
    for one in inner:
        yield from references(one)

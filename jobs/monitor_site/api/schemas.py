"""JSON schemas of what the API answers and takes, from the annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..plain_json import INSTEAD
from .described import fields_of, text_of

Schema = dict[str, Any]
PLAIN: dict[Any, Schema] = {
    str: {"type": "string"}, int: {"type": "integer"}, float: {"type": "number"}, bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"}, NoneType: {"type": "null"}, Any: {}, dict: {"type": "object"},
}  # fmt: skip


class Schemas:
    """Makes schemas, and keeps those of dataclasses under their names."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        self._kinds: dict[str, Any] = {}

    def of(self, kind: Any) -> Schema:
        kind = INSTEAD.get(kind, kind)
        if kind in PLAIN:
            return dict(PLAIN[kind])
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (Union, UnionType):
            return self._either(inner)
        if origin is Literal:
            return {"type": "string", "enum": list(inner)}
        if origin is Counter or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return {"type": "object", "additionalProperties": self.of(inner[1] if origin is not Counter else int)}
        if origin is tuple and inner[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(one) for one in inner], "minItems": len(inner)} | {
                "maxItems": len(inner)
            }
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(inner[0])}
        if is_dataclass(origin or kind):
            return self._reference(kind)
        raise TypeError(f"{kind} has no schema: name a dataclass, or add it")

    def _either(self, kinds: Sequence[Any]) -> Schema:
        schemas = [self.of(one) for one in kinds]
        if all("type" in one for one in schemas) and schemas[1:] == [{"type": "null"}]:
            return {**schemas[0], "type": [schemas[0]["type"], "null"]}
        return {"anyOf": schemas}

    def _reference(self, kind: Any) -> Schema:
        name = _name_of(kind)
        if self._kinds.setdefault(name, kind) != kind:
            raise TypeError(f"{kind} and {self._kinds[name]} have one name: rename one")
        if name not in self.named:
            self.named[name] = {}  # it may hold others of its own kind
            self.named[name] = self._object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any) -> Schema:
        cls = get_origin(kind) or kind
        meant = dict(zip(getattr(cls, "__parameters__", ()), get_args(kind), strict=False))
        hints, texts, properties = get_type_hints(cls), fields_of(cls), dict[str, Schema]()
        for field in fields(cls):
            schema = self.of(_with(hints[field.name], meant))
            text = {"description": texts[field.name]} if texts.get(field.name) else {}
            properties[field.name] = schema | text
        about = {"description": text_of(cls)} if text_of(cls) else {}
        return {"type": "object", **about, "properties": properties, "required": list(properties)}


def _name_of(kind: Any) -> str:
    """`PageOfJobRow` of `Page[JobRow]`."""
    name: str = (get_origin(kind) or kind).__name__
    return "Of".join([name, *(one.__name__ for one in get_args(kind))])


def _with(hint: Any, meant: Mapping[Any, Any]) -> Any:
    """A hint with types in place of its variables."""
    if isinstance(hint, TypeVar):
        return meant[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(meant[one] for one in parameters)] if parameters else hint

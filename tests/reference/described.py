"""What the code says of itself: the docstrings of classes, of their fields and of their methods, and signatures."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class Field:
    """A field of a class: its annotation as it is written, and the docstring below it."""

    name: str
    type: str
    text: str


def one_line(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").split())


def fields_of(*classes: type) -> list[Field]:
    """The public fields of these classes, those that `__init__` makes too; of two with one name, the last."""
    found = {field.name: field for kind in classes for field in _fields_in(kind)}
    return [field for field in found.values() if not field.name.startswith("_")]


def _fields_in(kind: type) -> Iterator[Field]:
    [cls] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(cls, ast.ClassDef)
    made = next((one for one in cls.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    for body in (cls.body, made.body if made else []):
        for line, below in pairwise([*body, ast.Pass()]):
            if isinstance(line, ast.AnnAssign | ast.Assign):
                target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0]
                if name := _name_of(target):
                    annotation = _type_of(line.annotation) if isinstance(line, ast.AnnAssign) else ""
                    is_docstring = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                    yield Field(name, annotation, one_line(below.value.value) if is_docstring else "")


def _type_of(annotation: ast.expr) -> str:
    """As it is written, without what Annotated has beside it."""
    match annotation:
        case ast.Subscript(ast.Name("Annotated"), ast.Tuple([kind, *_])):
            return ast.unparse(kind)
    return ast.unparse(annotation)


def _name_of(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    is_own = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    return target.attr if is_own else ""


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class that are ours, in the order in which they are written."""
    seen: set[str] = set()
    for cls in kind.__mro__:
        if cls.__module__.split(".")[0] != "jobs":
            continue
        for name, member in vars(cls).items():
            is_shown = callable(member) or isinstance(member, (property, classmethod, staticmethod))
            if not name.startswith("_") and is_shown and name not in seen:
                seen.add(name)
                yield name, member


def signature_of(name: str, function: Any) -> str:
    """How it is called, without types: the docstring and the editor have those."""
    if isinstance(function, (classmethod, staticmethod)):
        function = function.__func__
    if isinstance(function, property):
        return name
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name not in ("self", "cls")]
    shown = inspect.Signature([one.replace(annotation=EMPTY) for one in parameters])
    text = re.sub(r"<object object at 0x[0-9a-f]+>|Ellipsis", "...", str(shown)).replace(", /", "").replace("(/)", "()")
    return f"{_before(function)}{name}{text}"


def _before(function: Any) -> str:
    if inspect.isasyncgenfunction(function):
        return "async for ... in "
    return "await " if inspect.iscoroutinefunction(function) else ""

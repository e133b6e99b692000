"""What to pass instead of a value that cannot travel: read when somebody has passed one."""

import enum
import io
import types
from array import array
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, TypeAlias
from uuid import UUID

import msgpack

_What: TypeAlias = type | tuple[type, ...] | str | set[str]
"""Classes, the attributes that a class has, or the modules that it may be of."""


def remedy(value: Any) -> str:
    """What to pass instead of *value*, which is `x` here."""
    return next((words for what, words in _REMEDIES if _is(value, what)), "its id, or a dict with what the task needs")


def _is(value: Any, what: _What) -> bool:
    if isinstance(what, str):
        return all(hasattr(type(value), name) for name in what.split())
    return type(value).__module__.partition(".")[0] in what if isinstance(what, set) else isinstance(value, what)


_OR = ", or annotate the parameter or the result with its class"
_REMEDIES: Sequence[tuple[_What, str]] = (
    (enum.Enum, f"x.value{_OR}"),
    (msgpack.ExtType, "x.data"),
    ("tolist item dtype shape __getitem__ __len__", "x.tolist() (of a scalar: x.item())"),
    ("item dtype", "x.item()"),
    ("to_pydatetime", "x.to_pydatetime()"),
    ("model_dump", f"x.model_dump(){_OR}"),
    ("to_dict", "x.to_dict()"),
    ("__struct_fields__", f"msgspec.structs.asdict(x){_OR}"),
    ("__attrs_attrs__", f"attrs.asdict(x){_OR}"),
    ("_asdict _fields", f"tuple(x) or x._asdict(){_OR}"),
    ("__dataclass_fields__", f"dataclasses.asdict(x){_OR}"),
    ((bytearray, memoryview, bytes), "bytes(x)"),
    *((kind, f"{kind.__name__}(x)") for kind in (int, float, complex, str, Decimal, tuple, frozenset)),
    (UUID, "UUID(str(x))"),
    *((kind, f"{kind.__name__}.fromisoformat(x.isoformat())") for kind in (datetime, date, time)),
    (timedelta, "timedelta(seconds=x.total_seconds())"),
    (Mapping, "dict(x)"),
    (Set, "set(x)"),
    (PurePath, f"str(x){_OR}"),
    (io.IOBase, "its path, or what x.read() gave"),
    (types.CoroutineType, "what `await x` gives"),
    ((type, types.FunctionType, types.BuiltinFunctionType, types.MethodType), "its name"),
    ((Sequence, Iterator, array), "list(x)"),
    ({"fractions", "ipaddress", "zoneinfo", "yarl"}, "str(x)"),
)

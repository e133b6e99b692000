"""Where the monitor is mounted: hosts leave the prefix in the path of a request, or take it away, or do half of it.

ASGI says that `path` begins with `root_path`. Older hosts, and servers behind a proxy that strips, pass the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from .web.targets import path_of


def mounted(scope: dict[str, Any], prefix: str, is_page: Callable[[str], bool]) -> dict[str, Any]:
    """*scope* as ASGI wants it: `root_path` without a slash at its end, and a `path` that begins with it.

    *prefix* is the root path where the host names none.
    """
    root = scope.get("root_path", "").rstrip("/") or prefix
    return {**scope, "root_path": root, "path": root + inside(root, path_of(scope["path"]), _raw(scope), is_page)}


def inside(root: str, path: str, raw: str, is_page: Callable[[str], bool]) -> str:
    """The part of *path* that names a page. *raw*: the path as the client sent it, or ''."""
    if raw == root + path:
        return path  # the host took the whole root away, and has left the raw path as it was
    found = [path.removeprefix(end) or "/" for end in _ends(root) if path == end or path.startswith(f"{end}/")]
    # `/jobs` alone, at the root `/jobs`: a host that leaves the root in the path would have sent `/jobs/`
    candidates = [path, *found] if path == root else [*found, path]
    return next((one for one in candidates if is_page(one)), candidates[0])


def _ends(root: str) -> list[str]:
    """`/a/b` and `/b`: a mount inside of what a proxy has stripped is in the path, and the rest is not."""
    return [root[at:] for at, character in enumerate(root) if character == "/"]


def _raw(scope: dict[str, Any]) -> str:
    raw: bytes = scope.get("raw_path") or b""
    return unquote_to_bytes(raw.partition(b"?")[0]).decode(errors="replace")

"""Where the monitor is mounted: hosts leave the prefix in the path of a request, or take it away, or take half of it.

ASGI says that `path` begins with `root_path`. Older hosts, and servers behind a proxy that strips, pass the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from .web.targets import path_of


class Prefix:
    """Makes of each request what ASGI says. *default* is the root path where the host names none.

    Where the prefix is also the name of a page, `/jobs` can mean that page or the first one. The path as the client
    sent it decides, if the host keeps it; else what the requests before have shown of the host.
    """

    def __init__(self, default: str, is_page: Callable[[str], bool]) -> None:
        self._default = default
        self._is_page = is_page
        self._strips = False

    def applied(self, scope: dict[str, Any]) -> dict[str, Any]:
        """*scope* with a `root_path` that has no slash at its end, and a `path` that begins with it."""
        root = scope.get("root_path", "").rstrip("/") or self._default
        return {**scope, "root_path": root, "path": root + self.inside(root, path_of(scope["path"]), _raw(scope))}

    def inside(self, root: str, path: str, raw: str = "") -> str:
        """The part of *path* that names a page. *raw*: the path as the client sent it, or ''."""
        if raw and not raw.endswith("/"):
            path = path.rstrip("/") or "/"  # Litestar adds a slash
        if not root or raw == root + path:
            return path
        ends = [root[at:] for at, character in enumerate(root) if character == "/"]  # `/a/b`, and `/b` if half is taken
        left = [path.removeprefix(end) or "/" for end in ends if path == end or path.startswith(f"{end}/")]
        left, taken = [one for one in left if self._is_page(one)], [path] if self._is_page(path) else []
        if bool(left) != bool(taken):
            self._strips = bool(taken)
        return next(iter([*taken, *left] if self._strips else [*left, *taken]), path)


def _raw(scope: dict[str, Any]) -> str:
    raw: bytes = scope.get("raw_path") or b""
    return unquote_to_bytes(raw.partition(b"?")[0]).decode(errors="replace")

"""Run at once what never waits: no thread for a plain function, no coroutine for each call in a template."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from jinja2 import Template
from quart import Quart


def prepare(app: Quart) -> None:
    """Call it before *app* loads a template. Afterwards a view or hook that is not `async` must not block."""
    app.sync_to_async = _at_once  # type: ignore[assignment,method-assign]
    app.jinja_env.is_async = False
    app.jinja_env.template_class = _Template


def _at_once(function: Callable[..., Any]) -> Callable[..., Coroutine[None, None, Any]]:
    """Quart 0.22 would use a thread, and once for each page: every blueprint has a context processor of Flask's."""

    @wraps(function)
    async def run(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return run


class _Template(Template):
    async def render_async(self, *arguments: Any, **words: Any) -> str:
        return self.render(*arguments, **words)

"""The monitor as one ASGI application, for any host: a framework that mounts it, or a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..client.connection import JobsRedis
from ..errors import SettingsMistake

try:
    from quart import Quart
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the monitor needs Quart: pip install 'quarq-jobs[monitor]'", name=error.name) from error

from . import live, pages, viewers
from .api import registration as api
from .cookie import OwnCookie
from .options import Options, prepare
from .prefix import Prefix
from .web import addresses, at_once, csrf, error_pages, forms, headers, limits, targets, websockets

HERE = str(Path(__file__).resolve().parent)
PATIENCE_S, ANSWER_S = 0.6, 1.3
"""How long a page retries while Redis is away, and how long it waits for one answer. Together less than 3 s."""


class Monitor(Quart):
    """The application. Only its being ASGI is promised; what it has of Quart may change."""

    def __init__(self, prefix: str) -> None:
        # a name of its own, because the folder may have another one
        super().__init__("jobs.monitor_site", root_path=HERE, instance_path=HERE)
        self._prefix = Prefix(prefix, self._is_page)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = self._prefix.applied(scope)
        await super().__call__(scope, receive, send)

    def _is_page(self, path: str) -> bool:
        pages = self.url_map.bind("localhost")
        return pages.test(path) or bool(pages.allowed_methods(path))

    async def close(self) -> None:
        """Close the connections to Redis. A server that starts and ends the application does it by itself."""
        await self.extensions["options"].redis.aclose()

    def compile_templates(self) -> None:
        """Before the first request, which else takes a tenth of a second more. A server that starts the application
        does it by itself."""
        for name in self.jinja_env.list_templates(extensions=["html"]):
            self.jinja_env.get_template(name)

    def end_streams(self) -> None:
        """End the live pages of this event loop, which would otherwise outlast a server's wish to stop."""
        live.of_this_loop(self).end()


def monitor_app(
    redis_url: str,
    *,
    viewer: viewers.FindViewer | None = None,
    title: str = "Jobs",
    home: str = "",
    trace_url: str = "",
    questions: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Monitor:
    """The monitor of the Redis at *redis_url*, as an ASGI application to mount or to serve.

    *viewer* gets each request (`.headers`, `.cookies`, `.scope`) and returns a Viewer, or None: a 404. It may be
    async. Without it only this machine is answered: a loopback address and Host, and no header of a proxy.

    *title* is in the top bar, with a link to *home*. *trace_url* is an address with `{trace_id}` to which pages of jobs
    link. *questions* names schedules whose "Run now" asks on a page of yours: its address. *prefix* is the path where
    it is mounted, for hosts that pass no `root_path`.

    Nothing is sent before the first request. BadRedisURL, SettingsMistake: what cannot be.
    """
    prefix = prefix.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise SettingsMistake(f"prefix={prefix!r:.80}: begin it with a slash, such as '/jobs'")
    redis = JobsRedis.at(redis_url, answer_s=ANSWER_S)
    return monitor_with(Options(redis, title, home, trace_url, dict(questions or {})), viewer, prefix)


def monitor_with(options: Options, viewer: viewers.FindViewer | None, prefix: str = "") -> Monitor:
    """`monitor_app()`, with a connection that is there already."""
    if options.trace_url and "{trace_id}" not in options.trace_url:
        raise SettingsMistake(f"trace_url={options.trace_url!r:.80}: put {{trace_id}} where the trace's number goes")
    options.redis.patience_s = PATIENCE_S
    app = Monitor(prefix)
    prepare(app, options)
    _protect(app, viewer)
    at_once.prepare(app)
    forms.prepare(app)
    error_pages.prepare(app)
    pages.register(app)
    api.register(app)
    app.before_serving(app.compile_templates)
    app.after_serving(app.close)
    return app


def _protect(app: Quart, viewer: viewers.FindViewer | None) -> None:
    """In the order in which a request passes it."""
    app.config.update(MAX_CONTENT_LENGTH=limits.BODY_LIMIT, BODY_TIMEOUT=10)
    app.session_interface = OwnCookie()  # type: ignore[assignment]  # Quart means any
    addresses.prepare(app)
    targets.protect(app)
    limits.protect(app)
    viewers.protect(app, viewer)
    csrf.protect(app)
    headers.protect(app, private=True)
    websockets.refuse(app)

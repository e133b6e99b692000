"""Who looks at the monitor, and whether they may act: what the application that mounts it says of each request."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from quart import Quart, Request, abort, current_app, g, request, session
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ..errors import SettingsMistake
from .viewer import Viewer, zone_of
from .web.addresses import name_in
from .web.csrf import SAFE_METHODS
from .web.loopback import is_loopback, is_loopback_address
from .web.messages import Message

OF_PROXIES = ("forwarded", "x-forwarded-", "x-real-ip", "via")
READ_ONLY = Message("read-only", "You can look at everything here, but you may not change anything.")
ONLY_HERE = Message(
    "not-this-machine",
    "Without viewer=, the monitor answers only browsers on its own machine, by a loopback address and without a proxy. "
    "To open it to others, give monitor_app() a viewer that says who may look.",
)
API = "/api/"
FindViewer = Callable[[Request], Viewer | Awaitable[Viewer | None] | None]
"""Gets Quart's request: `.headers`, `.cookies`, and `.scope`, where the host's session or user may be."""


def protect(app: Quart, find: FindViewer | None) -> None:
    """Ask *find* before every answer, files and live pages too: None is a 404. Who may not act sends no forms."""

    @app.before_request
    async def check_viewer() -> ResponseReturnValue | None:
        if _is_marked("for_everybody"):
            return None
        try:
            g.viewer = await _found(find)
        except HTTPException as answer:
            if not (answer.response and request.path.startswith(API)):
                raise
            g.viewer = None  # a program is not sent to a page where people sign in
        if g.viewer is None:
            abort(404)
        if request.method not in SAFE_METHODS and not _is_marked("for_readers"):
            require_acting()
        return None

    @app.context_processor
    async def words() -> dict[str, object]:
        if (viewer := g.get("viewer")) is None:
            return {"viewer": None, "can_act": False}
        here = quote(request.root_path) + request.full_path
        return {"viewer": viewer, "can_act": viewer.can_act, "zone": reader_zone().key, "here": here}


def this_viewer() -> Viewer:
    """Who has sent this request."""
    viewer: Viewer = g.viewer
    return viewer


def require_acting() -> None:
    """Answer 403 to those who may only look. Every form is checked already: this is for pages that ask a question."""
    if not this_viewer().can_act:
        abort(403, READ_ONLY)


def for_readers(view: Any) -> Any:
    """Mark a view whose form changes nothing but what this browser is shown."""
    view.for_readers = True
    return view


def for_everybody(view: Any) -> Any:
    """Mark a view that answers strangers too."""
    view.for_everybody = True
    return view


def reader_zone() -> ZoneInfo:
    """The viewer's time zone, or that of the browser, or UTC."""
    return zone_of(this_viewer().timezone or session.get("zone", "")) or ZoneInfo("UTC")


async def _found(find: FindViewer | None) -> Viewer | None:
    if find is None:
        return _on_this_machine()
    viewer = find(request._get_current_object())  # type: ignore[attr-defined]
    if inspect.isawaitable(viewer):
        viewer = await viewer
    if viewer is not None and not isinstance(viewer, Viewer):
        raise SettingsMistake(f"viewer= returned {viewer!r:.80}: return a quarq_jobs.Viewer, or None")
    return viewer


def _is_marked(name: str) -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), name, False)


def _on_this_machine() -> Viewer:
    """Somebody on this machine, by its address and by the name that they asked for, with no proxy between."""
    client = (request.scope.get("client") or [""])[0]
    forwarded = any(name.lower().startswith(OF_PROXIES) for name, _ in request.headers)
    asked = name_in(request.headers.get("Host", ""))
    if forwarded or not is_loopback_address(str(client)) or not is_loopback(asked):
        abort(403, ONLY_HERE)
    return Viewer("local", can_act=True)

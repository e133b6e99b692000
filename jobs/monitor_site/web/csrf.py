"""Protection against CSRF: a token in every form, and a check of the form's origin."""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

from quart import Quart, abort, g, request, session

from .messages import Message

TOO_OLD = Message(
    "too-old", "The page was open too long, or cookies are disabled. Go back, reload it and send it again."
)
NO_JSON = Message("not-json", "Send JSON, with the header `Content-Type: application/json`.")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def protect(app: Quart) -> None:
    """Refuse every changing request without the token, unless its view is marked `@without_csrf`.

    For logs, `g.refusal` then says what was refused.
    """
    app.jinja_env.globals["csrf_token"] = csrf_token

    @app.before_request
    async def refuse_forgeries() -> None:
        if request.method in SAFE_METHODS or request.endpoint is None:  # nothing is at this address: 404 or 405
            return
        view = app.view_functions.get(request.endpoint)
        if getattr(view, "without_csrf", False):
            return
        if _comes_from_elsewhere():
            g.refusal = "csrf_refused"
            abort(403, Message("other-site", "The form was sent from another site, so it was rejected."))
        if getattr(view, "json_only", False):
            if request.mimetype != "application/json":
                abort(415, NO_JSON)
            return
        if getattr(view, "anonymous_form", False) and _comes_from_here():
            return
        given = request.headers.get("X-CSRF-Token") or (await request.form).get("csrf_token", "")
        if not _is_token(given):
            g.refusal = "csrf_refused"
            abort(403, TOO_OLD)


def csrf_token() -> str:
    """The token of this browser, made at the first call. Signing in and out changes it."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    token: str = session["csrf"]
    return token


def without_csrf(view: Any) -> Any:
    """Mark a view that other programs may POST to. Its action must be harmless, or need a proof in the request."""
    view.without_csrf = True
    return view


def anonymous_form(view: Any) -> Any:
    """Mark a view that reads no session. Its form needs no token, so that public pages set no cookie: the Origin
    header is sufficient proof."""
    view.anonymous_form = True
    return view


def json_only(view: Any) -> Any:
    """Mark a view that takes JSON, and needs no token: no form of another site can send that, and no script, unless the
    answer to a request before it allowed that. Nothing here does."""
    view.json_only = True
    return view


def _comes_from_here() -> bool:
    """Whether the browser names an origin, which `_comes_from_elsewhere` has checked. Browsers do with a POST."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


def _comes_from_elsewhere() -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and _host_of(origin) != request.host


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # `http://[`
        return None


def _is_token(given: str) -> bool:
    return "csrf" in session and hmac.compare_digest(given.encode(), session["csrf"].encode())

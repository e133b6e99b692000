"""What protects every page, whatever feature it belongs to: `protect(app)` switches all of it on."""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import Quart

from app.accounts import access, sessions
from app.security import csrf, headers, hosts, websockets
from app.security.limits import LimitedRequest
from settings import Settings

BODY_LIMIT = 256 * 1024  # bytes; 10,000 emoji in a form are 120 kB


def protect(app: Quart) -> None:
    """Limits, cookies, Host, account, CSRF, access and headers, in the order a request meets them."""
    settings: Settings = app.extensions["settings"]
    https = urlsplit(settings.base_url).scheme == "https"
    app.request_class = LimitedRequest
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        BODY_TIMEOUT=10,
        # The cookie is signed: it holds the sign-in token, the CSRF token and messages for the next page.
        SESSION_COOKIE_NAME="__Host-session" if https else "session",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    hosts.protect(app)
    sessions.prepare(app)
    csrf.protect(app)
    access.protect(app)
    headers.protect(app, https=https)
    websockets.refuse(app)

"""The protection of every page of every feature. `protect(app)` installs all of it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from quart import Quart, abort, request

from app import security_log
from app.security import hosts, secret_links
from jobs.monitor_site.web import csrf, headers, limits, targets, websockets
from settings import Settings

Protector = Callable[[Quart], None]


def protect(app: Quart, *, find_account: Protector, check_access: Protector, cookie: str = "session") -> None:
    """Install limits, cookies, Host, account, access, CSRF and headers, in the order in which a request passes them.

    *find_account* sets `g.account` for each request. *check_access* enforces the mark of each view.
    Browsers share cookies between ports, so two apps on one machine need different names of the *cookie*.
    """
    settings: Settings = app.extensions["settings"]
    https = urlsplit(settings.base_url).scheme == "https"
    app.config.update(
        MAX_CONTENT_LENGTH=limits.BODY_LIMIT,
        BODY_TIMEOUT=10,
        # The signed cookie holds the sign-in token, the CSRF token and messages for the next page.
        SESSION_COOKIE_NAME=f"__Host-{cookie}" if https else cookie,
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    targets.protect(app)
    security_log.protect(app)
    limits.protect(app)
    _refuse_nul(app)
    hosts.protect(app)
    find_account(app)
    check_access(app)  # before the body of a stranger's request is read
    csrf.protect(app)
    headers.protect(app, https=https)
    secret_links.protect(app)  # runs before the headers, which keep what is there
    websockets.refuse(app)


def _refuse_nul(app: Quart) -> None:
    """No row has a NUL in its name, and Postgres fails at one."""

    @app.before_request
    async def refuse_nul() -> None:
        if "\0" in request.path:
            abort(404)

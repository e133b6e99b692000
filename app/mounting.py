"""The monitor, mounted at /monitor: for the owner of the site, in the site's session."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from quart import Quart, Request, abort, g, redirect

from app import security_log
from app.accounts import access, returning, sessions
from app.security import hosts
from app.web import error_pages
from app.web.template_words import MONITOR
from jobs import Viewer, monitor_app
from jobs.monitor_site.web.targets import path_of
from settings import Settings

QUESTIONS = {"weekly-digest": "/digest/run"}
"""Schedules that mail many people, with the page that asks for confirmation."""


def mount_monitor(site: Quart) -> None:
    """Serve it, protected and logged as the pages of *site* are. It is in `extensions["monitor"]`."""
    settings: Settings = site.extensions["settings"]
    monitor = monitor_app(
        settings.redis_url,
        viewer=partial(_viewer, site),
        title=f"{settings.site_name} monitor",
        home="/",
        trace_url=settings.trace_url,
        questions=QUESTIONS,
    )
    monitor.extensions["settings"] = settings
    error_pages.prepare(monitor)
    security_log.protect(monitor, all_for_owner=True)
    site.extensions["monitor"] = monitor
    usual = site.asgi_app

    async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and f"{path_of(scope['path'])}/".startswith(f"{MONITOR}/"):
            await monitor({**scope, "root_path": MONITOR}, receive, send)
        else:
            await usual(scope, receive, send)

    site.asgi_app = asgi_app  # type: ignore[method-assign]

    @site.while_serving
    async def close() -> AsyncGenerator[None, None]:
        yield
        await monitor.close()


async def _viewer(site: Quart, request: Request) -> Viewer:
    """The owner. Strangers are sent to the sign-in page, and back afterwards; other accounts get 403."""
    hosts.refuse_foreign()
    if request.endpoint == "static":
        return Viewer("anybody")  # files of the library are no secret, and each page has several
    session = await site.session_interface.open_session(site, request)
    assert session is not None  # the site has a key
    token = session.get("sign_in")
    async with site.app_context():
        account = await sessions.account_of(token) if token else None
    g.account = account
    if account is None:
        if token:
            session.clear()
            security_log.note("session_refused")
        returning.remember(session, request)
        answer = redirect("/sign-in", 303)
        await site.session_interface.save_session(site, session, answer)
        abort(answer)  # type: ignore[arg-type]  # it takes Werkzeug's too
    if not access.is_owner(account):
        abort(403, access.OWNER_ONLY)
    return Viewer("owner", can_act=True, timezone=account.timezone)

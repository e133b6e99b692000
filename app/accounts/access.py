"""Who may open a page. Each view has one of three marks; a view without one answers nobody."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeVar

from quart import Quart, abort, g, redirect, request, session, url_for
from quart.typing import ResponseReturnValue

from app.accounts import links, returning
from app.accounts.models import Account
from app.context import site
from jobs.monitor_site.web.messages import Message

OWNER_ONLY = Message("owner-only", "Only the owner of the site can open this page.")
View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Let everybody in."""
    return _mark(view, "public")


def signed_in(view: View) -> View:
    """Let signed-in users in. Send others to the sign-in page, and back afterwards."""
    return _mark(view, "signed_in")


def owner_only(view: View) -> View:
    """Let the owner of the site in. Other accounts get 403."""
    return _mark(view, "owner")


def or_metrics_token(view: View) -> View:
    """Also let in a program that sends METRICS_TOKEN as its bearer token."""
    view.or_metrics_token = True  # type: ignore[attr-defined]
    return view


def is_owner(account: Account | None) -> bool:
    """Whether this is the account of OWNER_EMAIL."""
    return account is not None and account.email == links.owner_address(site())


def protect(app: Quart) -> None:
    """Enforce the mark of each view, and give every template `is_owner`."""

    @app.context_processor
    async def words() -> dict[str, object]:
        return {"is_owner": is_owner(g.get("account"))}

    @app.before_request
    async def check_access() -> ResponseReturnValue | None:
        if request.endpoint is None or request.endpoint == "static":
            return None  # a 404 or a public file
        view = app.view_functions[request.endpoint]
        access = getattr(view, "access", None)
        if getattr(view, "or_metrics_token", False) and "Authorization" in request.headers:
            return None if _is_metrics_token(request.headers["Authorization"]) else _REFUSED
        if access == "public":
            return None
        if access is None:
            raise RuntimeError(f"mark the view {request.endpoint} as @public, @signed_in or @owner_only")
        if g.account is None:
            return _send_to_sign_in()
        if access == "owner" and not is_owner(g.account):
            abort(403, OWNER_ONLY)
        return None


_REFUSED = ("This is not METRICS_TOKEN.\n", 401, {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain"})


def _is_metrics_token(given: str) -> bool:
    scheme, _, token = given.partition(" ")
    wanted = site().metrics_token
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), wanted.encode())


def _send_to_sign_in() -> ResponseReturnValue:
    returning.remember(session, request)
    return redirect(url_for("accounts.sign_in"), 303)


def _mark(view: View, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view

"""The log of what matters for security: who signs in and out, what is refused, what the owner does.

Each event is one JSON line, whatever LOG_LEVEL and LOG_FORMAT are. It holds the account's number and the rule of the
address that was asked for: no mail address, no token, no typed word. `client` tells clients apart, and not where they
are: it is a keyed hash of their network.
"""

from __future__ import annotations

import hmac
import logging
from typing import Any

from quart import Quart, Response, g, request

from app.context import site
from app.web.clients import client_address

INFO, WARNING = logging.INFO, logging.WARNING

EVENTS = {
    "sign_in_link_asked": (INFO, "a sign-in link is sent"),
    "account_created": (INFO, "an address signs in for the first time"),
    "sign_in": (INFO, "a sign-in link was used"),
    "sign_out": (INFO, "one browser was signed out"),
    "sign_out_everywhere": (
        INFO,
        "all browsers of the account were signed out, and its unused links deleted",
    ),
    "session_refused": (WARNING, "a cookie names a session that has ended, is too old or does not exist"),
    "link_refused": (WARNING, "a link from an email has expired, was used already or is not valid"),
    "access_refused": (WARNING, "a visitor may not open this page, or has a wrong METRICS_TOKEN"),
    "csrf_refused": (WARNING, "a form came from another site or without its token"),
    "host_refused": (WARNING, "a request had a Host that is not the site's"),
    "inbox_refused": (WARNING, "a request for the inbox of `make run` had no key"),
    "limit_refused": (WARNING, "a rate limit was exceeded"),
    "data_exported": (INFO, "an account downloaded its data"),
    "deletion_refused": (WARNING, "a deletion was not confirmed with the account's address"),
    "account_deleted": (INFO, "an account and its data were deleted"),
    "owner_action": (INFO, "the owner changed something"),
}
"""The level of each event, and what it means."""

log = logging.getLogger(__name__)


def note(event: str, account: int | None = None, **more: Any) -> None:
    """Write the line of this event for the current request; *account* if it is not the one that is signed in."""
    level, _ = EVENTS[event]
    signed_in = g.get("account")
    g.security_event = event
    extra = {
        "event": event,
        "account": account if account is not None else signed_in.id if signed_in else None,
        "method": request.method,
        "rule": str(request.url_rule) if request.url_rule else None,
        "client": _pseudonym(client_address()),
    }
    log.log(level, "security: %s", event, extra=extra | more)


def protect(app: Quart) -> None:
    """Note what the answer alone tells: refusals that no other line has, and what the owner has done."""

    @app.after_request
    async def note_answer(response: Response) -> Response:
        if "security_event" not in g and (event := _event(app, response.status_code)):
            numbers = {name: value for name, value in (request.view_args or {}).items() if type(value) is int}
            note(event, status=response.status_code, **numbers)
        return response


def _event(app: Quart, status: int) -> str:
    arguments = request.view_args or {}
    if status in (404, 410) and {"token", "link"} & arguments.keys():
        return "link_refused"
    if status in (401, 403):
        return "access_refused"
    if status == 429:
        return "limit_refused"
    access = getattr(app.view_functions.get(request.endpoint or ""), "access", "")
    changes = request.method not in ("GET", "HEAD", "OPTIONS")
    return "owner_action" if access == "owner" and changes and status < 400 else ""


def _pseudonym(client: str) -> str:
    """The same for a client as long as SECRET_KEY is; nobody without the key finds the client by trying all."""
    return hmac.digest(site().secret_key.encode(), f"client {client}".encode(), "sha256").hex()[:12]

"""The security log: sign-ins and sign-outs, refused requests, and the owner's actions.

Each event is one JSON line at every LOG_LEVEL and LOG_FORMAT. It holds the account's id and the requested route's
rule, but no email address, no token and no typed word. `client` is a keyed hash of the client's network: it
distinguishes clients and does not locate them.
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
    "sign_out_everywhere": (INFO, "all browsers of the account were signed out, and its unused links deleted"),
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
    """Log this event of the current request. *account* is the account's id if it is not the signed-in account."""
    level, _ = EVENTS[event]
    signed_in = g.get("account")
    g.security_event = event
    extra = {
        "event": event,
        "account": account if account is not None else signed_in.id if signed_in else None,
        "method": request.method,
        "rule": f"{request.root_path}{request.url_rule}" if request.url_rule else None,
        "client": _pseudonym(client_address()),
    }
    log.log(level, "security: %s", event, extra=extra | more)


def protect(app: Quart, all_for_owner: bool = False) -> None:
    """Log what only the response shows: refusals without a line of their own, and the owner's actions.

    With *all_for_owner* every page of *app* is for the owner.
    """

    @app.after_request
    async def note_answer(response: Response) -> Response:
        if "security_event" not in g and (event := _event(app, response.status_code, all_for_owner)):
            numbers = {name: value for name, value in (request.view_args or {}).items() if type(value) is int}
            note(event, status=response.status_code, **numbers)
        return response


def _event(app: Quart, status: int, all_for_owner: bool) -> str:
    arguments = request.view_args or {}
    if refusal := g.get("refusal"):
        return str(refusal)
    if status in (404, 410) and {"token", "link"} & arguments.keys():
        return "link_refused"
    if status in (401, 403):
        return "access_refused"
    if status == 429:
        return "limit_refused"
    access = "owner" if all_for_owner else getattr(app.view_functions.get(request.endpoint or ""), "access", "")
    changes = request.method not in ("GET", "HEAD", "OPTIONS")
    return "owner_action" if access == "owner" and changes and status < 400 else ""


def _pseudonym(client: str) -> str:
    """Constant for a client until SECRET_KEY changes. Nobody without the key can find the client by trial."""
    return hmac.digest(site().secret_key.encode(), f"client {client}".encode(), "sha256").hex()[:12]

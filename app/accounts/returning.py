"""The page that sent a browser to sign in: remembered in its session, explained there, and opened afterwards.

It is always a page of this site.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from quart import Request

from jobs.monitor_site.web.messages import Message

KEY = "next"
PURPOSES = {
    "reminders": Message("sign-in-reminders", "Sign in to set reminders and to see yours."),
    "consents": Message("sign-in-consents", "Sign in to decide who may send you reminders."),
    "account": Message("sign-in-account", "Sign in to see your account."),
    "playground/order": Message("sign-in-order", "Sign in to order something that waits for your answer."),
}
"""By the beginning of the page's path. All other pages that need a sign-in are the owner's."""
OF_OWNER = Message("sign-in-owner", "This page is for the owner of the site. Sign in with the owner's email address.")

Session = MutableMapping[str, Any]


def remember(session: Session, request: Request) -> None:
    """Return to the page of this request, unless a script of a page has sent it."""
    if request.method == "GET" and request.headers.get("Sec-Fetch-Dest", "document") == "document":
        session[KEY] = request.root_path + request.full_path.rstrip("?")


def reason(session: Session) -> Message | None:
    """Why this browser has to sign in; None if no page sent it."""
    page = _of_this_site(session.get(KEY, ""))
    path = urlsplit(page).path + "/"
    found = (why for of, why in PURPOSES.items() if path.startswith(f"/{of}/"))
    return next(found, OF_OWNER) if page else None


def take(session: Session) -> str:
    """The page, which is then forgotten; empty if there is none."""
    return _of_this_site(session.pop(KEY, ""))


def _of_this_site(path: str) -> str:
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if ours else ""

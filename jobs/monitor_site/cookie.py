"""The monitor's one cookie: a random word for forms, the messages of the next page, and the browser's time zone.

It is not signed: processes of the application that mounts the monitor share no secret. What it says is believed only
about this browser itself, and each part has a limit.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

from quart import Quart, request
from quart.sessions import SecureCookieSession, SessionInterface, SessionMixin
from quart.wrappers import Response
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.wrappers import Response as WerkzeugResponse

NAME = "jobs_monitor"
LONGEST = 4_000
"""Characters of the cookie."""
MOST_MESSAGES, LONGEST_WORD, LONGEST_MESSAGE = 2, 80, 400
_SURROGATE = re.compile("[\ud800-\udfff]")


class OwnCookie(SessionInterface):
    """Keeps Quart's session in that cookie. Its path is where the monitor is mounted."""

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SecureCookieSession:
        return SecureCookieSession(_read(request.cookies.get(NAME, "")))

    async def save_session(
        self, app: Quart, session: SessionMixin, response: Response | WerkzeugResponse | None
    ) -> None:
        if response is not None and session.modified:
            where: Any = {
                "path": quote(request.root_path) or "/",
                "httponly": True,
                "samesite": "Lax",
                "secure": request.scheme == "https",
            }
            response.set_cookie(NAME, _written(session), **where)


def _written(session: SessionMixin) -> str:
    kept = {**session, "_flashes": list(session.get("_flashes", ()))[-MOST_MESSAGES:]}
    return base64.urlsafe_b64encode(json.dumps(kept, ensure_ascii=False).encode(errors="replace")).decode()


def _read(cookie: str) -> dict[str, Any]:
    """What of it can be ours."""
    try:
        given = json.loads(base64.urlsafe_b64decode(cookie.encode()[:LONGEST]))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    kept: dict[str, Any] = {name: given[name] for name in ("csrf", "zone") if _is_text(given.get(name), LONGEST_WORD)}
    messages = given.get("_flashes")
    if isinstance(messages, list) and (fitting := [tuple(one) for one in messages[:MOST_MESSAGES] if _is_message(one)]):
        kept["_flashes"] = fitting
    return kept


def _is_message(one: Any) -> bool:
    return (
        isinstance(one, list) and len(one) == 2 and _is_text(one[0], LONGEST_WORD) and _is_text(one[1], LONGEST_MESSAGE)
    )


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and not _SURROGATE.search(value)

"""The key of the inbox. Each `make run` makes a new one, and prints it as a part of the inbox's address.

The inbox shows sign-in links. Every user of this machine can reach the site, and behind a proxy every client seems to
be this machine. So a client's address and headers prove nothing: only the key does.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from quart import Quart, abort, redirect, request
from quart.typing import ResponseReturnValue

from app import security_log, tokens
from app.context import site
from app.private_files import write_private
from jobs.monitor_site.web.messages import Message
from settings import Settings

ADDRESS = "/inbox/"
NO_KEY = Message("no-key", "Open the inbox with the address that `make run` prints when it starts.")


@contextmanager
def new_key(settings: Settings) -> Iterator[None]:
    """Give the inbox a new key inside this block. Keys of earlier runs open nothing."""
    make_key(settings)
    try:
        yield
    finally:
        _file(settings).unlink(missing_ok=True)


def make_key(settings: Settings) -> str:
    """Write a new key to the data folder, where the web process reads it."""
    key = secrets.token_urlsafe(32)
    write_private(_file(settings), key)
    return key


def address(settings: Settings) -> str:
    """The address that opens the inbox."""
    return f"{settings.base_url}{ADDRESS}?key={_read(settings)}"


def with_key(link: str, settings: Settings) -> str:
    """A sign-in link that opens the inbox to the same browser."""
    return f"{link}?key={_read(settings)}"


def protect(app: Quart) -> None:
    """Answer 404 to every request below `/inbox` without the key, for every method."""

    @app.context_processor
    async def words() -> dict[str, object]:
        return {"opens_inbox": _opens}

    @app.before_request
    async def require_key() -> ResponseReturnValue | None:
        if request.endpoint == "accounts.open_link" and _fits(request.args.get("key", "")):
            return _let_in(request.path)
        if request.blueprint != "inbox" and f"{request.path}/".partition("/inbox/")[0]:
            return None
        if request.method == "GET" and _fits(request.args.get("key", "")):
            return _let_in(ADDRESS)
        if not _fits(request.cookies.get(_cookie(), "")):
            security_log.note("inbox_refused")
            abort(404, NO_KEY)
        return None


def _let_in(address: str) -> ResponseReturnValue:
    """Move the key from the address, which browsers show and store, to a cookie. A second one shows the link to it."""
    response = redirect(address, 303)
    secure = urlsplit(site().base_url).scheme == "https"
    for name, value, path in ((_cookie(), _read(site()), ADDRESS.rstrip("/")), (_link_cookie(), _shows_link(), "/")):
        response.set_cookie(name, value, path=path, httponly=True, samesite="Lax", secure=secure)
    return response


def _opens() -> bool:
    """Whether this browser has the key. Only pages below `/inbox` get the key itself."""
    given = request.cookies.get(_link_cookie(), "")
    return bool(_read(site())) and hmac.compare_digest(given.encode(errors="replace"), _shows_link().encode())


def _shows_link() -> str:
    """What a browser with the key shows on the other pages. It opens nothing."""
    return tokens.derive(site().secret_key, "link to the inbox", _read(site()))


def _link_cookie() -> str:
    return f"{_cookie()}-link"


def _fits(given: str) -> bool:
    key = _read(site())
    return bool(key) and hmac.compare_digest(given.encode(errors="replace"), key.encode())


def _cookie() -> str:
    """The cookie's name. Browsers share cookies between ports, so two sites on one machine need two names."""
    return f"inbox-{site().port}"


def _read(settings: Settings) -> str:
    """The key. Empty while `make run` is not running: then nothing opens the inbox."""
    try:
        return _file(settings).read_text().strip()
    except FileNotFoundError:
        return ""


def _file(settings: Settings) -> Path:
    return settings.data_dir / "inbox_key"

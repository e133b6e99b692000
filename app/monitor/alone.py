"""The monitor as a program, for any Redis with Quarq's jobs: no SQL, no mail, no files, one user with the link."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncGenerator

from quart import Blueprint, Quart, current_app, g, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue

from app import monitor, security, security_log
from app.accounts import Account, access, public, signed_in
from app.accounts.links import owner_address
from app.accounts.pages import time_zones
from app.context import connected, site
from app.web import error_pages, template_words
from jobs.monitor_site.web import at_once, forms
from jobs.monitor_site.web.messages import Message, notify
from settings import Settings

# Has the name of the site's blueprint, so that pages find their sign-in and sign-out here.
accounts = Blueprint("accounts", __name__, template_folder="templates")


class Door:
    """Lets in the first browser with the link. Keeps everything in memory, until the process ends."""

    def __init__(self) -> None:
        self.link = secrets.token_urlsafe(32)
        self._spent = False
        self._inside: set[bytes] = set()

    def fits(self, link: str) -> bool:
        """Whether this is the link, and it is unused."""
        return hmac.compare_digest(link.encode(), self.link.encode()) and not self._spent

    def enter(self, link: str) -> str | None:
        """Use the link up. Returns the browser's token; None if the link does not fit."""
        if not self.fits(link):
            return None
        self._spent = True
        token = secrets.token_urlsafe(32)
        self._inside.add(_hashed(token))
        return token

    def knows(self, token: str) -> bool:
        """Whether this token belongs to a signed-in browser."""
        return _hashed(token) in self._inside

    def leave(self, token: str) -> None:
        """Revoke the token, and so every copy of it."""
        self._inside.discard(_hashed(token))


def create_alone(settings: Settings) -> Quart:
    """The app, with its `Door` in `extensions["door"]`. Connects to nothing before it serves."""
    app = Quart("app")
    app.secret_key = settings.secret_key
    app.extensions["settings"] = settings
    app.extensions["door"] = Door()
    security.protect(app, find_account=_know_the_owner, check_access=access.protect, cookie=f"monitor-{settings.port}")
    at_once.prepare(app)
    forms.prepare(app)
    template_words.prepare(app)
    error_pages.prepare(app)
    app.register_blueprint(accounts)
    app.register_blueprint(monitor.blueprint)

    @app.while_serving
    async def serve() -> AsyncGenerator[None, None]:
        async with connected(app):
            yield

    return app


def _know_the_owner(app: Quart) -> None:
    @app.before_request
    async def find_account() -> None:
        g.account = None
        if _door().knows(session.get("sign_in", "")):
            g.account = Account(id=0, email=owner_address(site()), timezone=session["timezone"])


@accounts.get("/")
@public
async def first() -> ResponseReturnValue:
    return redirect(url_for("monitor.overview"), 303)


@accounts.get("/sign-in")
@public
async def sign_in() -> str:
    return await render_template("alone/sign_in.html")


@accounts.get("/sign-in/<link>")
@public
async def open_link(link: str) -> ResponseReturnValue:
    """Changes nothing. Only the button signs in."""
    if not _door().fits(link):
        return await _over()
    return await render_template("alone/sign_in.html", fits=True)


@accounts.post("/sign-in/<link>")
@public
async def use_link(link: str) -> ResponseReturnValue:
    token = _door().enter(link)
    if token is None:
        return await _over()
    zone = (await request.form).get("timezone", "")
    session.clear()
    session["sign_in"] = token
    session["timezone"] = zone if zone in time_zones() else site().timezone
    security_log.note("sign_in")
    return redirect(url_for("monitor.overview"), 303)


@accounts.post("/sign-out")
@signed_in
async def sign_out() -> ResponseReturnValue:
    _door().leave(session["sign_in"])
    session.clear()
    security_log.note("sign_out")
    await notify(Message("signed-out", "You are signed out."))
    return redirect(url_for("accounts.sign_in"), 303)


async def _over() -> ResponseReturnValue:
    if g.account:  # the user pressed the button twice
        return redirect(url_for("monitor.overview"), 303)
    return await render_template("alone/sign_in.html", over=True), 410


def _door() -> Door:
    door: Door = current_app.extensions["door"]
    return door


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

"""The monitor of one Redis as a program: no accounts and no files, one browser with the link that works once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from functools import partial
from zoneinfo import available_timezones

from quart import Blueprint, Request, abort, current_app, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue

from ..client.connection import JobsRedis
from ..errors import QuarqError
from .application import Monitor, monitor_with
from .options import Options
from .viewer import Viewer
from .viewers import for_everybody, for_readers
from .web import server
from .web.addresses import name_in
from .web.loopback import is_loopback
from .web.messages import Message, notify

door = Blueprint("door", __name__)


class Door:
    """Lets in the first browser with the link. Keeps everything in memory, until the process ends."""

    def __init__(self, port: int) -> None:
        self.link = secrets.token_urlsafe(32)
        self.cookie = f"jobs_monitor_{port}"
        """Browsers share cookies between the ports of a machine."""
        self._spent = False
        self._inside: set[bytes] = set()

    async def viewer(self, request: Request) -> Viewer | None:
        """The one who has come in. Others are sent to the page that says where the link is."""
        if self.knows(request.cookies.get(self.cookie, "")):
            return Viewer("local", can_act=True)
        if request.method == "GET":
            abort(redirect(url_for("door.sign_in"), 303))  # type: ignore[arg-type]  # it takes Werkzeug's too
        return None

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


async def serve(redis: JobsRedis, host: str, port: int, trace_url: str) -> None:
    """Serve until SIGINT or SIGTERM, after printing the link. QuarqError: the address cannot be used."""
    _require_free(host, port)
    app = behind_door(Options(redis, title="Quarq monitor", trace_url=trace_url), host, port)
    if not is_loopback(host):
        print(f"Warning: everybody who reaches {host} can read along: this is HTTP, not HTTPS.")
    link = f"http://{f'[{host}]' if ':' in host else host}:{port}/sign-in/{app.extensions['door'].link}"
    print(f"The monitor opens with this link, once: {link}", flush=True)
    await server.run(app, host, port, app.end_streams)


def behind_door(options: Options, host: str, port: int) -> Monitor:
    """The application, with its `Door` in `extensions["door"]`."""
    entrance = Door(port)
    app = monitor_with(options, entrance.viewer)
    app.extensions["door"] = entrance
    app.register_blueprint(door)
    app.view_functions["static"] = for_everybody(partial(app.send_static_file))  # the page about the link is styled
    app.context_processor(lambda: {"has_sign_out": True})

    def refuse_foreign_hosts() -> None:
        """So that a page whose name was rebound to this machine reads nothing."""
        asked = name_in(request.host)
        if not (asked == host or is_loopback(asked)) and host not in ("0.0.0.0", "::"):
            abort(400, Message("wrong-host", f"The monitor is at {host}:{port}, not at the requested address."))

    app.before_request_funcs[None].insert(0, refuse_foreign_hosts)
    return app


@door.get("/sign-in")
@for_everybody
async def sign_in() -> str:
    return await render_template("alone/sign_in.html")


@door.get("/sign-in/<link>")
@for_everybody
async def open_link(link: str) -> ResponseReturnValue:
    """Changes nothing. Only the button signs in."""
    if not _door().fits(link):
        return await _over()
    return await render_template("alone/sign_in.html", fits=True)


@door.post("/sign-in/<link>")
@for_everybody
async def use_link(link: str) -> ResponseReturnValue:
    token = _door().enter(link)
    if token is None:
        return await _over()
    zone = (await request.form).get("timezone", "")
    if zone in available_timezones():
        session["zone"] = zone
    response = redirect(url_for("monitor.overview"), 303)
    response.set_cookie(_door().cookie, token, httponly=True, samesite="Lax", secure=request.scheme == "https")
    return response


@door.post("/sign-out")
@for_readers
async def sign_out() -> ResponseReturnValue:
    _door().leave(request.cookies.get(_door().cookie, ""))
    await notify(Message("signed-out", "You are signed out."))
    return redirect(url_for("door.sign_in"), 303)


async def _over() -> ResponseReturnValue:
    if _door().knows(request.cookies.get(_door().cookie, "")):  # the user pressed the button twice
        return redirect(url_for("monitor.overview"), 303)
    return await render_template("alone/sign_in.html", over=True), 410


def _door() -> Door:
    found: Door = current_app.extensions["door"]
    return found


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise QuarqError(
                f"{host}:{port} cannot be used ({error.strerror}): stop what listens there, or give another --port"
            ) from error

"""The port of a worker: `/healthz`, `/readyz`, `/metrics` and `/scale` over HTTP, see docs/kubernetes.md.

Threads serve it, so that it answers while the event loop is blocked. All but /healthz is asked of the loop.
"""

import asyncio
import contextlib
import io
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from importlib.util import find_spec
from socketserver import ThreadingTCPServer
from typing import Any, NamedTuple

from ..errors import SettingsMistake
from ..store.outage import is_away
from ..worker.lease_renewer import BLOCKED_WARNING_S
from ..worker.process import PROCESS

logger = logging.getLogger("arq.worker.jobs")

MOST_CONNECTIONS, MOST_BYTES, SILENT_S = 64, 8_192, 5
"""One more connection ends the oldest, if that is slow; else it is refused. A request is read up to MOST_BYTES, and
its connection is closed if nothing has come for SILENT_S.
"""
MOST_QUESTIONS = 20
"""Different questions that are answered in a second: each costs queries to Redis, and anybody can ask /scale for new
names of queues.
"""
SLOW_S = 1
"""How old a connection must be to be ended for a new one; when to come back."""
BEAT_S, STOP_S, PATIENCE_S, FRESH_S = 0.5, 0.2, 2, 1
"""How often the loop shows that it turns; what a stop takes; what Redis may; how long an answer serves all who ask."""


class Answer(NamedTuple):
    """An HTTP response: its status, its body and its Content-Type."""

    status: int
    text: str
    kind: str = "text/plain; charset=utf-8"


class Port(ThreadingTCPServer):
    """Answers at *address* until its block ends. *worker*: its connection, queues and statistics, for the endpoints.

    SettingsMistake if nothing can listen there now.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, *worker: Any) -> None:
        metrics = _contrib("prometheus") if find_spec("prometheus_client") else _no_metrics
        self._endpoints = {"/readyz": _contrib("kubernetes"), "/metrics": metrics, "/scale": _contrib("keda")}
        self._worker = worker
        self._answers: dict[tuple[str, str], tuple[float, Future[Answer]]] = {}
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        host, _, given = address.rpartition(":")
        port = int(given) + int(PROCESS or 0)
        try:
            self.address_family, *_, where = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
            super().__init__(where, _Request)  # type: ignore[arg-type]  # as sockets take it
        except UnicodeError:
            raise SettingsMistake(f"health={address!r}: {host!r} is no name of a host, nor an address") from None
        except (OSError, OverflowError) as error:  # the second: a port above 65535
            why = f"cannot listen at port {port}: {error}; each worker process of a host needs a port of its own"
            raise SettingsMistake(f"health={address!r}: {why}") from None

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._beat()
        threading.Thread(target=self.serve_forever, args=(STOP_S,), name="port", daemon=True).start()

    async def __aexit__(self, *error: object) -> None:
        self._next_beat.cancel()
        await asyncio.to_thread(self.shutdown)
        self.server_close()
        for _, answer in self._answers.values():
            answer.cancel()

    def _beat(self) -> None:
        self._turned = time.monotonic()
        self._next_beat = self._loop.call_later(BEAT_S, self._beat)

    def answer(self, target: str) -> Answer:
        """For a thread: what a GET of this path and query returns. As sent to a proxy, *target* may be a whole URL."""
        path, _, query = re.sub(r"^https?://[^/?]*", "", target, flags=re.IGNORECASE).partition("?")
        if path != "/healthz" and path not in self._endpoints:
            return Answer(404, f"there are /healthz, {', '.join(self._endpoints)}")
        if (blocked_s := time.monotonic() - self._turned) > BLOCKED_WARNING_S:
            return Answer(503, f"the event loop is blocked, since {blocked_s:.1f} s: the worker's log shows where")
        if path == "/healthz":
            return Answer(200, "ok")
        try:
            asked = self._ask(path, _contrib("keda", "normal")(query) if path == "/scale" else "")
        except ValueError as error:
            return Answer(400, str(error))
        if asked is None:
            return Answer(503, f"more than {MOST_QUESTIONS} different questions in a second: ask again")
        try:
            return asked.result(PATIENCE_S + 1)
        except TimeoutError:
            return Answer(503, "the event loop does not answer in time")

    def _ask(self, path: str, query: str) -> Future[Answer] | None:
        """One answer for all who ask the same within FRESH_S; None if MOST_QUESTIONS others were asked."""
        with self._lock:
            now = time.monotonic()
            fresh = {
                question: (since, answer)
                for question, (since, answer) in self._answers.items()
                if not answer.done() or now - since < FRESH_S
            }
            if (path, query) not in fresh:
                if len(fresh) >= MOST_QUESTIONS and query:
                    return None
                fresh[path, query] = now, asyncio.run_coroutine_threadsafe(self._answer_of(path, query), self._loop)
            self._answers = fresh
            return fresh[path, query][1]

    async def _answer_of(self, path: str, query: str) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._endpoints[path](query, *self._worker)
        except Exception as error:
            if is_away(error):
                return Answer(503, "Redis does not answer, or refuses us: the worker's log shows why")
            logger.exception("the port cannot answer %s", path)
            return Answer(500, "this failed: the worker's log shows why")

    def process_request(self, request: Any, client_address: Any) -> None:
        now, others = time.monotonic(), list(self._open.items())
        if len(others) >= MOST_CONNECTIONS:
            oldest, since = others[0]
            if now - since < SLOW_S:
                return self._refuse(request)
            self._open.pop(oldest, None)
            with contextlib.suppress(OSError):  # it has ended meanwhile
                oldest.shutdown(socket.SHUT_RDWR)
        self._open[request] = now
        super().process_request(request, client_address)

    def _refuse(self, request: Any) -> None:
        """Without a thread. One who has sent nothing yet may see a reset instead."""
        text = f"there are {MOST_CONNECTIONS} connections: come back\n"
        head = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {SLOW_S}\r\nContent-Length: {len(text)}\r\n\r\n"
        with contextlib.suppress(OSError):
            request.settimeout(0)
            request.sendall((head + text).encode())
            request.recv(MOST_BYTES)
        self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away, or sent nothing: no traceback."""


class _Request(BaseHTTPRequestHandler):
    server: Port
    timeout = SILENT_S
    error_message_format, error_content_type = "%(message)s\n", Answer._field_defaults["kind"]
    server_version, sys_version = "worker", ""

    def setup(self) -> None:
        super().setup()
        head = b""
        while not (b"\r\n\r\n" in head or b"\n\n" in head or len(head) >= MOST_BYTES):
            head += self.connection.recv(MOST_BYTES) or b"\n\n"
        self.rfile = io.BytesIO(head)

    def do_GET(self) -> None:
        status, text, kind = self.server.answer(self.path)
        body = f"{text.rstrip()}\n".encode()
        self.send_response_only(status)
        for header in ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"):
            self.send_header(*header)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of a request is logged."""


def _contrib(name: str, function: str = "answer") -> Callable[..., Any]:
    """A function of another module of contrib; those import this one."""
    found: Callable[..., Any] = getattr(import_module(f".{name}", __package__), function)
    return found


async def _no_metrics(*about: Any) -> Answer:
    return Answer(501, "metrics need prometheus_client: pip install prometheus-client")

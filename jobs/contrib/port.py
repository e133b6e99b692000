"""The port of a worker: `/healthz`, `/readyz`, `/metrics` and `/scale` over HTTP, see docs/kubernetes.md.

Threads serve it, so that it answers while the event loop is blocked. All but /healthz is asked of the loop.
"""

import asyncio
import contextlib
import io
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from importlib.util import find_spec
from socketserver import ThreadingTCPServer
from typing import Any, NamedTuple

from ..errors import SettingsMistake
from ..store.outage import is_away
from ..worker.lease_renewer import BLOCKED_WARNING_S
from ..worker.process_end import PROCESS

logger = logging.getLogger("arq.worker.jobs")

MOST_CONNECTIONS, MOST_BYTES, SILENT_S = 16, 8_192, 5
"""One more connection ends the oldest, so that slow clients keep no probe out. A request is read up to MOST_BYTES."""
BEAT_S, STOP_S, PATIENCE_S, FRESH_S = 0.5, 0.2, 2, 1
"""How often the loop shows that it turns; what a stop takes; what Redis may; how long an answer serves all who ask."""


class Answer(NamedTuple):
    status: int
    text: str
    kind: str = "text/plain; charset=utf-8"


class Port(ThreadingTCPServer):
    """Answers at *address* until its block ends; *worker* is what modules of contrib are given, after the query.

    SettingsMistake if nothing can listen there now.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, *worker: Any) -> None:
        metrics = _of("prometheus") if find_spec("prometheus_client") else _no_metrics
        self._looks = {"/readyz": _of("kubernetes"), "/metrics": metrics, "/scale": _of("keda")}
        self._worker = worker
        self._found: dict[str, tuple[float, Future[Answer]]] = {}
        self._open: deque[socket.socket] = deque()
        host, _, given = address.rpartition(":")
        port = int(given) + int(PROCESS or 0)
        try:
            self.address_family, *_, where = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
            super().__init__(where, _Request)  # type: ignore[arg-type]  # as sockets take it
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
        for _, answer in self._found.values():
            answer.cancel()

    def _beat(self) -> None:
        self._turned = time.monotonic()
        self._next_beat = self._loop.call_later(BEAT_S, self._beat)

    def answer(self, target: str) -> Answer:
        """For a thread: what a GET of this path and query returns."""
        now, path = time.monotonic(), target.partition("?")[0]
        if path != "/healthz" and path not in self._looks:
            return Answer(404, f"there are /healthz, {', '.join(self._looks)}")
        if (blocked_s := now - self._turned) > BLOCKED_WARNING_S:
            return Answer(503, f"the event loop is blocked, since {blocked_s:.1f} s: the worker's log shows where")
        if path == "/healthz":
            return Answer(200, "ok")
        found = {key: had for key, had in list(self._found.items()) if not had[1].done() or now - had[0] < FRESH_S}
        if target not in found:
            found[target] = now, asyncio.run_coroutine_threadsafe(self._look(*target.partition("?")), self._loop)
        self._found = found
        try:
            return found[target][1].result(PATIENCE_S + 1)
        except TimeoutError:
            return Answer(503, "the event loop does not answer in time")

    async def _look(self, path: str, _: str, query: str) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._looks[path](query, *self._worker)
        except Exception as error:
            if is_away(error):
                return Answer(503, "Redis does not answer, or refuses us: the worker's log shows why")
            logger.exception("the port cannot answer %s", path)
            return Answer(500, "this failed: the worker's log shows why")

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        if len(self._open) > MOST_CONNECTIONS:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        with contextlib.suppress(ValueError):
            self._open.remove(request)
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


def _of(name: str) -> Callable[..., Awaitable[Answer]]:
    """What a module of contrib answers. By its name: contrib is above this room."""
    answer: Callable[..., Awaitable[Answer]] = import_module(f".{name}", __package__).answer
    return answer


async def _no_metrics(*about: Any) -> Answer:
    return Answer(501, "metrics need prometheus_client: pip install prometheus-client")

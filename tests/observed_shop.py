"""What can be seen of examples/observability while two tenants order: its site and one worker, as processes."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from sentry_sdk.envelope import Envelope

from settings import ROOT
from tests.app.running_site import free_port
from tests.waiting import wait_until

Rows = list[dict[str, Any]]
TENANTS = ("acme", "umbrella")


@dataclass(frozen=True)
class Seen:
    worker_log: Rows
    """Lines on stderr."""
    web_log: Rows
    spans: Rows
    events: Rows
    """What Sentry got."""
    worker_metrics: str
    web_metrics: str


async def observe(redis_url: str, folder: Path) -> Seen:
    """Start both, have each tenant order, wait until the last charge has failed, and stop both."""
    web_port, worker_port = free_port(), free_port()
    with sentry() as (dsn, events):
        environment = os.environ | {
            "REDIS_URL": redis_url,
            "WORKER_PORT": f"127.0.0.1:{worker_port}",
            "SENTRY_DSN": dsn,
        }
        worker = _start(folder / "worker", environment, "arq", "examples.observability.shop.WorkerSettings")
        bind = ("--bind", f"127.0.0.1:{web_port}")
        web = _start(folder / "web", environment, "hypercorn", *bind, "examples.observability.web:app")
        try:
            async with httpx.AsyncClient() as http:
                site, port = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{worker_port}"
                for url in (f"{site}/metrics", f"{port}/readyz"):
                    await wait_until(lambda: _answers(http, url), f"{url} to answer", timeout_s=30)  # noqa: B023
                for tenant in TENANTS:
                    taken = await http.post(f"{site}/orders", json=["tea", "cake"], headers={"Tenant": tenant})
                    assert taken.status_code == 202
                await wait_until(lambda: _ended(folder) == 2, "both workflows to end")
                figures = [(await http.get(url)).text for url in (f"{port}/metrics", f"{site}/metrics")]
        finally:
            for process in (worker, web):
                process.terminate()
            codes = [process.wait(20) for process in (worker, web)]
    assert codes == [0, 0]
    spans = [json.loads(line) for name in ("worker", "web") for line in _lines(folder / f"{name}.out")]
    logs = [
        [json.loads(line) for line in _lines(folder / f"{name}.err") if line[0] == "{"] for name in ("worker", "web")
    ]
    return Seen(logs[0], logs[1], spans, events, *figures)


def _start(files: Path, environment: dict[str, str], module: str, *words: str) -> subprocess.Popen[bytes]:
    with files.with_suffix(".out").open("wb") as out, files.with_suffix(".err").open("wb") as err:
        return subprocess.Popen(
            [Path(sys.executable).parent / module, *words], cwd=ROOT, env=environment, stdout=out, stderr=err
        )


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _ended(folder: Path) -> int:
    lines = [json.loads(line) for line in _lines(folder / "worker.err")]
    return sum(line.get("task") == "jobs.workflow" and "run_s" in line for line in lines)


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get(url)).status_code == 200
    return False


@contextlib.contextmanager
def sentry() -> Iterator[tuple[str, Rows]]:
    """A server that takes what Sentry's SDK sends: yields its DSN, and the events as they come."""
    events: Rows = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            events.extend(filter(None, (item.get_event() for item in Envelope.deserialize(body).items)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://key@127.0.0.1:{server.server_port}/1", events
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

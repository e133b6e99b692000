"""Applications that configure logging before plain `arq` does, each in a process of its own: what is written.

`python -m tests.jobs.worker.log_ways` writes one JSON object: way -> what came to stderr.
"""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import os
import sys
from collections.abc import Callable

import arq.cli

import jobs.worker.settings

ARQ, WORKER, ROOT = logging.getLogger("arq"), logging.getLogger("arq.worker.jobs"), logging.getLogger()


class Exporter(logging.Handler):
    """Sends lines away, as OpenTelemetry's does."""

    def emit(self, record: logging.LogRecord) -> None:
        os.write(2, f"EXPORTED {record.getMessage()}\n".encode())


def own() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("OWN %(message)s"))
    return handler


def own_root(level: str | int) -> None:
    logging.basicConfig(level=level, handlers=[own()])


def no_propagation(configured: bool) -> None:
    if configured:
        own_root("INFO")
    ARQ.propagate = False


def handler_on_shop() -> None:
    logging.getLogger("shop").addHandler(own())


WAYS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "logging.info() at import": lambda: logging.info("imported"),
    "NullHandler on arq": lambda: ARQ.addHandler(logging.NullHandler()),
    "NullHandler on the root": lambda: ROOT.addHandler(logging.NullHandler()),
    "root handler": lambda: own_root("INFO"),
    "root handler, WARNING": lambda: own_root("WARNING"),
    "root handler, ERROR": lambda: own_root("ERROR"),
    "root handler, no propagation": lambda: no_propagation(True),
    "no propagation": lambda: no_propagation(False),
    "an exporter": lambda: ROOT.addHandler(Exporter()),
    "a handler on arq": lambda: ARQ.addHandler(own()),
    "a handler on shop": handler_on_shop,
    "level of arq.worker.jobs": lambda: WORKER.setLevel("WARNING"),
    "level of arq.worker": lambda: logging.getLogger("arq.worker").setLevel("WARNING"),
    "level of arq": lambda: ARQ.setLevel("WARNING"),
}


def main() -> None:
    print(json.dumps({way: written(way) for way in WAYS}))


def written(way: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 2)
        WAYS[way]()
        logging.config.dictConfig(arq.cli.default_log_config(False))
        WORKER.info("of the worker")
        logging.getLogger("shop").info("of shop")
        WORKER.warning("warns")
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as text:
        return text.read()


if __name__ == "__main__":
    jobs.worker.settings.use_our_worker()
    sys.exit(main())

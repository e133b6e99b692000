"""An application that logs, and configures logging in each of the ways in which applications do."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import os
import signal
import sys
from typing import Any

import structlog
from arq.worker import Retry, func

from jobs import JsonLines, task, worker_settings

log = logging.getLogger("shop")


@task(name="log_app.charge", autoretry_for=(OSError,), default_retry_delay=0.01, max_retries=1, bind=True)
async def charge(self: Any, password: str) -> None:
    log.info("charge says")
    if not self.request.retries:
        raise OSError("the bank\nis closed")


@task(name="log_app.count")
def count() -> None:
    log.info("count says")


async def ship(ctx: dict[str, Any]) -> None:
    log.info("ship says")
    if ctx["job_try"] == 1:
        raise Retry from ValueError("no van")


@task(name="log_app.inner")
async def inner() -> None:
    log.info("inner says")


@task(name="log_app.outer")
async def outer() -> None:
    await inner()
    await asyncio.create_task(say("outer's own task says"))
    log.info("outer says", extra={"task": "kept", "order": 7})


async def say(text: str) -> None:
    log.info(text)


@task(name="log_app.kill")
async def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="log_app.apart", process=True)
def apart() -> None:
    log.info("apart says")


async def before(ctx: dict[str, Any]) -> None:
    log.info("a hook says")


def to_root(**more: Any) -> dict[str, Any]:
    handler = {"class": "logging.StreamHandler", "formatter": "own"}
    formatters = {"own": {"format": "OWN %(name)s %(message)s"}}
    return {
        "version": 1,
        "formatters": formatters,
        "handlers": {"own": handler},
        "root": {"handlers": ["own"], "level": "INFO"},
        **more,
    }


ROOT_ALONE = to_root()
ARQ_ALONE = to_root(root={}, loggers={"arq": {"handlers": ["own"], "level": "INFO"}})
KEPT = to_root(disable_existing_loggers=False)
AS_JSON = to_root(disable_existing_loggers=False, formatters={"own": {"()": JsonLines}})


def use_structlog() -> None:
    renderer = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(renderer)
    logging.basicConfig(level="INFO", handlers=[handler], force=True)


HOW = {
    "structlog": use_structlog,
    "basicConfig": lambda: logging.basicConfig(level="INFO", format="OWN %(name)s %(message)s", force=True),
    "root": lambda: logging.config.dictConfig(ROOT_ALONE),
    "kept": lambda: logging.config.dictConfig(KEPT),
    "arq": lambda: logging.config.dictConfig(ARQ_ALONE),
    "json": lambda: logging.config.dictConfig(AS_JSON),
    "": lambda: None,
}


async def configure(ctx: dict[str, Any]) -> None:
    HOW[os.environ.get("AT_START", "")]()


if "REDIS_URL" in os.environ:
    WorkerSettings = worker_settings(
        redis_url=os.environ["REDIS_URL"],
        tasks=[charge, count, inner, outer, kill, apart],
        functions=[func(ship, name="ship")],
        on_startup=configure,
        on_job_start=before,
        log_format=os.environ.get("FORMAT", "text"),
    )
    HOW[os.environ.get("AT_IMPORT", "")]()
    print("imported", file=sys.stderr)

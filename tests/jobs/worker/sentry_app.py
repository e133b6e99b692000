"""An application with a plain `sentry_sdk.init()`, whose jobs fail in every way. Its events are lines of a file."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import arq
from arq.worker import Retry, func

from jobs import Result, current_job, task, worker_settings

if os.environ.get("SENTRY") != "never":
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.transport import Transport

    class ToFile(Transport):
        """Writes when it is flushed: what Sentry's own sends by then."""

        lines: ClassVar[list[str]] = []

        def capture_envelope(self, envelope: Envelope) -> None:
            events = [event for item in envelope.items if (event := item.get_event()) is not None]
            self.lines.extend(json.dumps(event, default=repr) + "\n" for event in events)

        def flush(self, timeout: float, callback: Any = None) -> None:
            with Path(os.environ["EVENTS"]).open("a") as file:
                file.writelines(self.lines)
            self.lines.clear()

    OPTIONS: dict[str, dict[str, Any]] = {
        "": {},
        "pii": {"send_default_pii": True, "enable_logs": True, "auto_enabling_integrations": False},
        "bare": {"disabled_integrations": [LoggingIntegration, DedupeIntegration], "auto_enabling_integrations": False},
        "stacks": {"attach_stacktrace": True, "auto_enabling_integrations": False},
        "alone": {"default_integrations": False, "auto_enabling_integrations": False},
        "choosy": {
            "auto_enabling_integrations": False,
            "ignore_errors": [KeyError],
            "before_send": lambda event, hint: None if "dropped" in str(hint["exc_info"][1]) else event,
        },
    }

    def init() -> None:
        sentry_sdk.init(
            "https://key@example.org/1", transport=ToFile, traces_sample_rate=1.0, **OPTIONS[os.environ["OPTIONS"]]
        )
else:

    def init() -> None:
        pass


log = logging.getLogger("shop")
AT = os.environ.get("AT")
if AT == "import":
    init()


@task(name="s.fail")
async def fail(text: str, password: str = "") -> None:
    log.info("about to fail with %s", text)
    raise ValueError(text)


@task(name="s.fine")
async def fine(value: int) -> int:
    log.info("all is fine")
    return value


@task(name="s.plain")
def plain(text: str) -> None:
    raise ValueError(text)


@task(name="s.process", process=True)
def process(text: str) -> None:
    raise ValueError(text)


@task(name="s.dies", process=True)
def dies() -> None:
    sentry_sdk.flush()  # the events of earlier jobs in this process
    os._exit(3)


@task(name="s.retried", autoretry_for=(OSError,), max_retries=2, default_retry_delay=0.01)
async def retried(text: str) -> None:
    raise OSError(text)


@task(name="s.recovers", autoretry_for=(OSError,), max_retries=2, default_retry_delay=0.01)
async def recovers() -> None:
    if not current_job().request.retries:
        raise OSError("once")


@task(name="s.declared", raises=(KeyError,))
async def declared(text: str) -> None:
    sentry_sdk.get_isolation_scope().clear()  # the tags of the job are not in it
    raise KeyError(text)


@task(name="s.slow", time_limit=0.05)
async def slow() -> None:
    await asyncio.sleep(60)


@task(name="s.revoked")
async def revoked() -> None:
    await Result(str(current_job().request.id)).revoke(terminate=True)
    await asyncio.sleep(60)


@task(name="s.unstorable")
async def unstorable() -> Any:
    return object()


@task(name="s.captures")
async def captures(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        log.exception("it says so itself")
        raise error from None


@task(name="s.plain_captures")
def plain_captures(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        log.exception("it says so itself, in a thread")
        raise error from None


@dataclass
class Card:
    number: str
    pin: str = str(4700 + 11)  # its digits are not in the source, which is sent


@task(name="s.keeps")
async def keeps(data: dict[str, Any], token: str, *, failing: bool = True) -> None:
    await _says(data, token, failing)


@task(name="s.process_keeps", process=True)
def process_keeps(data: dict[str, Any], token: str, *, failing: bool = True) -> None:
    asyncio.run(_says(data, token, failing))


async def _says(data: dict[str, Any], value: str, failing: bool) -> None:
    """Has what it was given under other names, in other values and in objects."""
    order, copied, pair = 7, {"deep": [{"password": data["password"]}], "plain": "shown"}, (value, "shown")
    nested, card, pins = {"a": {"b": {"c": {"d": {"pin": 4700 + 11}}}}}, Card("shown", value), [Card("shown")]
    text = f"Bearer {value!r}".encode()
    log.error("it has %s of %d", "them", len((order, copied, pair, nested, card, pins, text)))
    if failing:
        raise ValueError("it keeps them")


@task(name="s.process_logs", process=True)
def process_logs(password: str) -> None:
    log.error("no failure, in its process")


@task(name="s.process_captures", process=True)
def process_captures(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        log.exception("it says so itself, in its process")
        raise error from None


@task(name="s.blocks")
async def blocks() -> None:
    time.sleep(60)  # noqa: ASYNC251  # on purpose: a task that blocks the loop


@task(name="s.member")
async def member(n: int) -> int:
    if n == 42:
        raise ValueError("member 42")
    return n


@task(name="s.parent")
async def parent() -> None:
    await (await fail.delay("a child's")).get()


@task(name="s.note")
async def note(*args: Any) -> None:
    pass


@task(name="s.note_fails")
async def note_fails(*args: Any) -> None:
    raise ValueError("a callback's own")


async def of_arq(ctx: dict[str, Any], text: str, token: str = "") -> None:
    raise ValueError(text)


async def retried_of_arq(ctx: dict[str, Any], text: str) -> None:
    if ctx["job_try"] < 3:
        raise Retry
    raise ValueError(text)


async def late_of_arq(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(60)


async def cron_of_arq(ctx: dict[str, Any]) -> None:
    raise ValueError("a cron job")


async def start(ctx: dict[str, Any]) -> None:
    if AT == "start":
        init()


TASKS = [
    fail, fine, plain, process, dies, retried, recovers, declared, slow, revoked, unstorable, captures, plain_captures,
    blocks, member, parent, note, note_fails, keeps, process_keeps, process_logs, process_captures,
]  # fmt: skip

NOT_NOW = (time.localtime().tm_min + 20) % 60  # a cron job of arq's runs at the full minute, else
if "REDIS_URL" in os.environ:
    WorkerSettings = worker_settings(
        redis_url=os.environ["REDIS_URL"],
        tasks=TASKS,
        functions=[
            func(of_arq, name="of_arq"), func(retried_of_arq, name="retried_of_arq"),
            func(late_of_arq, name="late_of_arq", timeout=0.05),
        ],
        cron_jobs=[arq.cron(cron_of_arq, name="cron_of_arq", run_at_startup=True, minute=NOT_NOW)]
        if "CRON" in os.environ else (),
        on_startup=start,
        unknown_task_patience=0,
        loop_stuck=float(os.environ.get("LOOP_STUCK", "60")),
    )  # fmt: skip
    if AT == "end":
        init()

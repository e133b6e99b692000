"""What all commands have in common: which Redis they ask, their options, how answers are printed, exit codes."""

import asyncio
import functools
import importlib
import importlib.util
import json
import math
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import click

from .. import monitor
from ..client.connection import JobsRedis
from ..errors import QuarqError, QueueUnavailable, SettingsMistake, WrongValue
from ..store import default
from ..store.outage import explained, is_away
from ..values.short_text import CUT, DEEPEST, said, text
from ..values.untrusted_text import printable, printable_json
from .values import names, seconds

USAGE, UNAVAILABLE = 64, 69
"""Exit codes, as in sysexits.h."""
PATIENCE_S = 5.0
"""How long Redis may take to answer, unless -t is given."""
DEFAULT_APP = "worker.WorkerSettings"
T = TypeVar("T")

_COLOURS = dict(SUCCESS="green", FAILURE="red", REVOKED="magenta", RETRY="yellow", STARTED="blue", OK="green")
_STATE = re.compile(rf"\b({'|'.join(_COLOURS)})\b")


class Unavailable(click.ClickException):
    """Redis, or every worker that was asked, does not answer."""

    exit_code = UNAVAILABLE


@dataclass(frozen=True)
class Target:
    """Which Redis to ask: `-A` and `--redis-url`, or else the environment's REDIS_URL."""

    app: str | None
    redis_url: str | None
    environment_url: str | None = None

    def redis(self, settings: Any) -> JobsRedis:
        if self.redis_url is None and settings is not None:
            return settings.redis_pool  # type: ignore[no-any-return]
        return JobsRedis.at((self.environment_url or "") if self.redis_url is None else self.redis_url)

    def settings(self) -> Any:
        """The worker settings of `-A`; None if only an address was given."""
        path = DEFAULT_APP if self.app is None else self.app
        module, _, name = path.rpartition(".")
        has_no_app = self.app is None and importlib.util.find_spec(module) is None
        if (self.app is None and self.redis_url is not None) or (has_no_app and self.environment_url is not None):
            return None
        try:
            settings = getattr(importlib.import_module(module), name)
        except SystemExit as refusal:  # a module that explains in one sentence why it does not start
            raise Unavailable(f"{path}: {refusal}") from refusal
        except Exception as error:  # whatever the module does
            why = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
            mistake = f"{path} cannot be imported: {why}. Give -A module.attr, or --redis-url"
            raise click.UsageError(printable(mistake)) from error
        if not isinstance(getattr(settings, "redis_pool", None), JobsRedis):
            raise click.UsageError(f"{path} was not made by worker_settings()")
        return settings


@dataclass
class Context:
    redis: JobsRedis
    settings: Any
    timeout_s: float | None
    destination: tuple[str, ...]

    async def workers(self) -> list[monitor.WorkerInfo]:
        """The live workers that are meant; Unavailable if there are none."""
        workers = await monitor.workers(self.redis)
        meant = [worker for worker in workers if not self.destination or worker.name in self.destination]
        if missing := set(self.destination) - {worker.name for worker in meant}:
            raise Unavailable(f"no such worker answers: {', '.join(sorted(missing))}")
        if not meant:
            raise Unavailable("no worker answers")
        return meant

    async def queues(self, given: tuple[str, ...]) -> list[str]:
        """The queues given; else all that there are in Redis, or that a live worker or the settings serve."""
        if given:
            return list(given)
        known = {queue for worker in await monitor.workers(self.redis) for queue in worker.queues}
        if self.settings is not None:
            known.update(self.settings.queues)
        return sorted({*known, *await monitor.queue_names(self.redis)})

    async def noted(self, what: str, target: str, doing: Callable[[], Awaitable[T]], summary: Callable[[T], str]) -> T:
        """Do it, with an entry in the audit: done from this host, and the *summary* of the result."""
        who = f"command line on {socket.gethostname()}"
        return await monitor.noted(self.redis, who, what, target, doing, summary)


@dataclass(frozen=True)
class Answer:
    """`data` for JSON, `lines` for people, `notes` that -q leaves out; of these, no control character is obeyed."""

    data: Any
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: int = 0

    def shown(self, quiet: bool) -> Iterator[str]:
        for line in [*self.lines, *([] if quiet else self.notes)]:
            yield _STATE.sub(lambda word: click.style(word[0], fg=_COLOURS[word[0]]), printable(line))


_OPTIONS = (
    click.option("--json", "-j", "as_json", is_flag=True, help="One JSON value instead of text."),
    click.option("-t", "--timeout", type=seconds(least=0), metavar="SECONDS", help="How long to wait."),
    click.option("-d", "--destination", multiple=True, callback=names, metavar="WORKERS", help="Only these: a,b."),
    click.option("-q", "--quiet", is_flag=True, help="No summaries."),
)


Body = Callable[..., Awaitable[Answer | None]]


def command_body(function: Body) -> Callable[..., int]:
    """A command's body of *function*, with the options that all have. None: it has printed its answer itself."""

    @click.pass_obj
    @functools.wraps(function)
    def body(
        target: Target, /, as_json: bool, quiet: bool, timeout: float | None, destination: tuple[str, ...], **own: Any
    ) -> int:
        settings = target.settings()  # imports the application, before there is an event loop
        try:
            context = Context(target.redis(settings), settings, timeout, destination)
            answer = asyncio.run(_answer(context, function, own))
        except Exception as error:
            if (sentence := _sentence(error)) is None:
                raise
            raise sentence from error
        if answer is None:
            return 0
        lines = answer.shown(quiet)
        if as_json:
            lines = iter([printable_json(json.dumps(_plain(answer.data), ensure_ascii=False, indent=2))])
        for line in lines:
            click.echo(line)
        return answer.code

    return functools.reduce(lambda command, option: option(command), reversed(_OPTIONS), body)


async def _answer(context: Context, function: Body, own: Mapping[str, Any]) -> Answer | None:
    try:
        with default.connected(context.redis):
            async with asyncio.timeout(context.timeout_s or PATIENCE_S):
                await context.redis.ping()
            return await function(context, **own)
    finally:
        await context.redis.aclose()


queue_option = click.option("-Q", "--queues", multiple=True, callback=names, metavar="QUEUES", help="Only these: a,b.")


def _sentence(error: Exception) -> click.ClickException | None:
    if isinstance(error, QueueUnavailable):
        return Unavailable(str(error))
    if isinstance(error, WrongValue | SettingsMistake):
        return click.UsageError(printable(str(error)))
    if isinstance(error, QuarqError):
        return click.ClickException(printable(str(error)))
    if is_away(error) or isinstance(error, TimeoutError):
        return Unavailable(printable(f"Redis does not answer: {explained(error)}"))
    return None


def _plain(value: Any, depth: int = DEEPEST + 10) -> Any:
    """What JSON has a form for; at most *depth* levels, and text in place of what it has none for."""
    if isinstance(value, Mapping | list | tuple | set | frozenset) and not depth:
        return CUT
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else text(key, 1_000): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, depth - 1) for inner in value]
    if isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return said(value, 10_000) if isinstance(value, BaseException) else str(value)

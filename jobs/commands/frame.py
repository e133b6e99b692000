"""What all commands have in common: which Redis they ask, their options and what may be typed for these, how answers
are printed, exit codes. A wrong value is a sentence and exit code 64, before Redis is asked."""

import asyncio
import contextlib
import functools
import getpass
import importlib
import importlib.util
import json
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import click

from .. import monitor
from ..client.connection import JobsRedis
from ..errors import QuarqError, QueueUnavailable, SettingsMistake, WrongValue
from ..monitor_site import plain
from ..store import default
from ..store.outage import explained, is_away
from ..values import checks
from ..values.untrusted_text import printable, printable_json


def _typed(convert: Callable[[str], Any], advice: str) -> Callable[[str], Any]:
    """Reads an option; one of which *convert* makes nothing is refused with *advice*."""

    def read(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, RecursionError):  # WrongValue is one
            raise click.BadParameter(f"{checks.shown(text)}: {advice}") from None

    return read


def seconds(**limits: Any) -> Callable[[str], float]:
    return _typed(lambda text: checks.seconds("seconds", float(text), **limits), "give a number of seconds, at least 0")


def json_of(kind: type, example: str) -> Callable[[str], Any]:
    def loaded(text: str) -> Any:
        if isinstance(value := json.loads(text), kind):
            return value
        raise ValueError(text)

    return _typed(loaded, f"write it as JSON, like {example}")


time = _typed(
    lambda text: checks.moment("time", datetime.fromisoformat(text)),
    "write it like 2026-12-24T18:00 or 2026-12-24T18:00+01:00",
)
"""Local, unless it has an offset."""


def local_zone() -> tzinfo:
    """The time zone of times of day that are typed."""
    return datetime.now().astimezone().tzinfo or UTC


def limit_option(what: str, default: int) -> Callable[[Any], Any]:
    return click.option(
        "-n", "--limit", type=click.IntRange(1, 100_000), default=default, show_default=True, help=f"{what} at most."
    )


def names(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Names, with commas or one at a time. An empty text is no way to say "all": a variable may not be set."""
    found = tuple(name for value in values for name in value.split(",") if name)
    if any(not value.strip(" ,") for value in values):
        raise click.BadParameter("no name is given; leave it out for all", context, parameter)
    return found


USAGE, UNAVAILABLE = 64, 69  # Exit codes, as in sysexits.h.
PATIENCE_S = 5.0  # How long Redis may take to answer, unless -t is given.
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
    is_typed: bool  # Else it is REDIS_URL of the environment, and counts only where there are no settings.
    actor: str = ""  # Who is at the keyboard, as they say.

    def open(self) -> tuple[JobsRedis, Any]:
        """The Redis, and the worker settings of `-A`: None if only an address was given."""
        has_app = self.app is not None or importlib.util.find_spec(DEFAULT_APP.partition(".")[0]) is not None
        url = self.redis_url if self.is_typed or not has_app else None
        if self.app is None and url is not None:
            return JobsRedis.at(url), None
        settings = _imported(DEFAULT_APP if self.app is None else self.app)
        return settings.redis_pool if url is None else JobsRedis.at(url), settings


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        settings = getattr(importlib.import_module(module), name)
    except SystemExit as refusal:  # a module that explains in one sentence why it does not start
        raise Unavailable(f"{path}: {refusal}") from refusal
    except Exception as error:  # whatever the module does
        why = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        meant = _settings_in(path) or f"{path} cannot be imported: {why}. Give -A module.attr, or --redis-url"
        raise click.UsageError(meant) from error
    if not isinstance(getattr(settings, "redis_pool", None), JobsRedis):
        raise click.UsageError(_settings_in(path) or f"{path} was not made by worker_settings()")
    return settings


def _settings_in(path: str) -> str:
    """What to give in place of a module: the first settings in it; '' if there are none."""
    with contextlib.suppress(Exception):
        for name, one in vars(importlib.import_module(path)).items():
            if isinstance(getattr(one, "redis_pool", None), JobsRedis):
                return f"{path} is a module: give {path}.{name}"
    return ""


@dataclass
class Context:
    redis: JobsRedis
    settings: Any
    timeout_s: float | None
    destination: tuple[str, ...]
    who: str  # In the audit.

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
        """Do it, with an entry in the audit: who did it, and the *summary* of the result."""
        return await monitor.noted(self.redis, self.who, what, target, doing, summary)


@dataclass(frozen=True)
class Answer:
    """`data` for JSON, `lines` for people, `notes` that -q leaves out; of these, no control character is obeyed."""

    data: Any
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: int = 0

    def print(self, as_json: bool, quiet: bool) -> None:
        if as_json:
            click.echo(printable_json(json.dumps(plain(self.data), ensure_ascii=False, indent=2)))
            return
        for line in self.lines if quiet else [*self.lines, *self.notes]:
            click.echo(_STATE.sub(lambda word: click.style(word[0], fg=_COLOURS[word[0]]), printable(line)))


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
        with errors_as_sentences():
            redis, settings = target.open()  # imports the application, before there is an event loop
            answer = asyncio.run(
                _answer(Context(redis, settings, timeout, destination, _who(target.actor)), function, own)
            )
        if answer is None:
            return 0
        answer.print(as_json, quiet)
        return answer.code

    return functools.reduce(lambda command, option: option(command), reversed(_OPTIONS), body)


def _who(actor: str) -> str:
    here = f"{_user()}@{socket.gethostname()}"
    return f"{actor} (command line of {here})" if actor else f"{here} (command line)"


def _user() -> str:
    for login in (os.getlogin, getpass.getuser):  # who sits at the terminal, before whom sudo made of them
        with contextlib.suppress(OSError, KeyError):
            return login()
    return str(os.getuid())


async def _answer(context: Context, function: Body, own: Mapping[str, Any]) -> Answer | None:
    try:
        with default.connected(context.redis):
            async with asyncio.timeout(context.timeout_s or PATIENCE_S):
                await context.redis.ping()
            return await function(context, **own)
    finally:
        await context.redis.aclose()


queue_option = click.option("-Q", "--queues", multiple=True, callback=names, metavar="QUEUES", help="Only these: a,b.")


@contextlib.contextmanager
def errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except QueueUnavailable as error:
        raise Unavailable(str(error)) from error
    except (WrongValue, SettingsMistake) as error:
        raise click.UsageError(str(error)) from error
    except QuarqError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        if is_away(error) or isinstance(error, TimeoutError):
            raise Unavailable(f"Redis does not answer: {explained(error)}") from error
        raise

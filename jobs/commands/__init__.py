"""The commands of `python -m jobs`: all with the same options and exit codes (see frame)."""

import sys
from importlib import import_module
from typing import TextIO

import click
from click.core import ParameterSource

from ..values import checks
from ..values.library_name import COMMAND
from ..values.untrusted_text import printable
from .frame import USAGE, Target

_NAMES = ("inspect", "schedules", "findings", "control", "workflows", "durable", "serving")
_MODULES = [import_module(f".{name}", __name__) for name in _NAMES]
COMMANDS = [one for module in _MODULES for one in vars(module).values() if isinstance(one, click.Command)]


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("-A", "--app", metavar="MODULE.ATTR", help="Worker settings: URL, queues, tasks. [worker.WorkerSettings]")
@click.option(
    "--redis-url", metavar="URL", envvar="REDIS_URL", help="The Redis to use. Without -A, no application is imported."
)
@click.option(
    "--redis-url-file",
    type=click.File(encoding="utf-8", errors="replace"),
    metavar="FILE",
    help="The same, from a file (- is the standard input): a password in the URL shows in no list of processes.",
)
@click.option("--as", "actor", default="", envvar="JOBS_ACTOR", metavar="NAME", help="Who you are, for the audit log.")
@click.pass_context
def commands(
    context: click.Context, app: str | None, redis_url: str | None, redis_url_file: TextIO | None, actor: str
) -> None:
    """Watch workers and jobs, and control them.

    Without -A and --redis-url, the Redis is that of worker.WorkerSettings, or REDIS_URL of the environment if
    there is no such module.
    """
    is_typed = context.get_parameter_source("redis_url") is ParameterSource.COMMANDLINE
    if redis_url_file is not None:
        if is_typed:
            raise click.UsageError("give --redis-url or --redis-url-file, not both")
        redis_url, is_typed = redis_url_file.read(10_000), True
    context.obj = Target(app, redis_url, is_typed, actor)


def main(words: list[str] | None = None) -> None:
    """Run one command, and end the process. Exit code 0: done, 1: not done, 64: wrong usage, 69: no answer."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        for word in sys.argv[1:] if words is None else words:
            if any("\ud800" <= character <= "\udfff" for character in word):
                raise click.UsageError(f"{checks.shown(word)} is not UTF-8")
        code = commands.main(words, prog_name=COMMAND, standalone_mode=False)
    except click.ClickException as error:
        message = printable(error.format_message())  # click quotes what was typed as it is
        if isinstance(error, click.NoSuchOption) and any(error.option_name in one.opts for one in commands.params):
            message += f" Write it before the command: {COMMAND} {error.option_name} ..."
        error.format_message = lambda: message  # type: ignore[method-assign]  # its show() asks for it
        error.show()
        code = USAGE if isinstance(error, click.UsageError) else error.exit_code
    except click.Abort as abort:  # of a question, or because of Ctrl-C
        click.echo("Interrupted." if abort.__cause__ else "Aborted: nothing was changed.", err=True)
        code = 1
    sys.exit(code)

"""The prompt of `make shell`, with top-level await, the app's context, a Redis connection and every task."""

from __future__ import annotations

import ast
import asyncio
import code
import contextlib
import inspect
import sys
import types
from collections.abc import AsyncIterator
from contextvars import Context, copy_context
from typing import Any

import jobs
from app import create_app
from app.background import TASKS
from app.context import close
from app.embedded.processes import StartError
from app.embedded.valkey import require_running
from app.private_files import own_settings
from jobs import connect
from settings import Settings, SettingsError

BANNER = """Quarq: await log.delay("Message") sends a call to the workers. Here are
{names}"""


class Shell(code.InteractiveConsole):
    """Python's prompt, on an event loop that runs while a line runs. All lines share one context."""

    def __init__(self, names: dict[str, Any], runner: asyncio.Runner, context: Context) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._names = names
        self._runner = runner
        self._context = context

    def runcode(self, code: types.CodeType) -> None:
        try:
            answer = self._context.run(types.FunctionType(code, self._names))
            if inspect.iscoroutine(answer):
                self._runner.run(answer, context=self._context)
        except SystemExit:
            raise
        except BaseException:  # Ctrl-C ends the line, not the prompt
            self.showtraceback()


@contextlib.asynccontextmanager
async def ready(settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """The names that the prompt provides, in the app's context."""
    app = create_app(settings)
    library = {name: getattr(jobs, name) for name in jobs.__all__}
    async with app.app_context(), connect(settings.redis_url) as redis:
        yield {
            "__name__": "__shell__",
            "app": app,
            "redis": redis,
            **library,
            **{task.__name__: task for task in TASKS},
        }
    await close(app)


def main(settings: Settings) -> None:
    """Read lines until the end of the input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # history and arrow keys
    with asyncio.Runner() as runner:
        context, opened = copy_context(), ready(settings)
        names = runner.run(opened.__aenter__(), context=context)
        shown = ", ".join(name for name in names if not name.startswith("_"))
        try:
            Shell(names, runner, context).interact(BANNER.format(names=shown), exitmsg="")
        finally:
            runner.run(opened.__aexit__(None, None, None), context=context)


if __name__ == "__main__":
    try:
        settings = own_settings()
        require_running(settings)
    except (SettingsError, StartError) as error:
        sys.exit(str(error))
    main(settings)

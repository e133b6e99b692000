"""`python -m tests.app.killed_at_each_line MODULE CALL FILE QUERY ...`: run a coroutine of the tests again and again,
and kill -9 its process at the first line of that module of the app, then at the second, until a run comes to its end.

CALL is one of `tests/app/killed_calls.py`. Writes a JSON line for each run: whether it was killed, and what each QUERY
then finds in that file of SQLite.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from quart import Quart

from app import create_app
from app.context import close
from settings import Settings
from tests.app import killed_calls

Call = Callable[[], Awaitable[None]]


def run(app: Quart, module: Any, call: Call, last_line: int) -> None:
    """Die at this line, counted from 1. At 0, do not."""
    left = last_line

    def count(frame: Any, event: str, argument: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    async def main() -> None:
        async with app.app_context():
            sys.settrace(count if last_line else None)
            await call()
            sys.settrace(None)
        await close(app)

    asyncio.run(main())


def rows(file: Path, queries: list[str]) -> list[list[Any]]:
    with closing(sqlite3.connect(file)) as db:
        return [db.execute(query).fetchall() for query in queries]


def main() -> None:
    module, call, file = importlib.import_module(sys.argv[1]), getattr(killed_calls, sys.argv[2]), Path(sys.argv[3])
    app = create_app(Settings.from_env())  # connects to nothing yet
    run(app, module, killed_calls.read_an_account, 0)  # what each process makes once is made before the forks
    line = 0
    while True:
        line += 1
        pid = os.fork()
        if not pid:
            run(app, module, call, line)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        print(json.dumps([killed, *rows(file, sys.argv[4:])]), flush=True)
        if not killed:
            break


if __name__ == "__main__":
    main()

"""`python -m tests.app.killed_at_each_line MODULE FUNCTION FILE`: run a coroutine of the app again and again, and
kill -9 its process at the first line of that module, then at the second, until one run comes to its end.

Writes a JSON line for each run: whether it was killed, and the rows of `reminder` and `reminder_series` that it left in
that file of SQLite. The coroutine gets the number 1 and a moment.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quart import Quart

from app import create_app
from app.context import close
from settings import Settings


def run(app: Quart, module: Any, function: str, last_line: int) -> None:
    """In a process of its own, which dies at this line, counted from 1."""
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
            sys.settrace(count)
            await getattr(module, function)(1, datetime(2040, 1, 1, tzinfo=UTC))
            sys.settrace(None)
        await close(app)

    asyncio.run(main())


def rows(file: Path) -> list[list[Any]]:
    with closing(sqlite3.connect(file)) as db:
        queries = ("SELECT date, state FROM reminder ORDER BY id", "SELECT slot FROM reminder_series")
        return [db.execute(query).fetchall() for query in queries]


def main() -> None:
    module, function, file = importlib.import_module(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    app = create_app(Settings.from_env())  # connects to nothing yet
    line = 0
    while True:
        line += 1
        pid = os.fork()
        if not pid:
            run(app, module, function, line)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        print(json.dumps([killed, *rows(file)]), flush=True)
        if not killed:
            break


if __name__ == "__main__":
    main()

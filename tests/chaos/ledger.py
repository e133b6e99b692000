"""What happened, kept outside of the system under test: a file that every process only appends to.

A line is one write(), so it is there whole or not at all, also after SIGKILL. A database would do harm here:
a worker stopped (SIGSTOP) inside a transaction would hold its lock and stop all others.
Times are CLOCK_MONOTONIC, the same for every process of the machine.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_file = -1


def write(kind: str, key: str, number: int = 0, text: str = "") -> None:
    """Append one line. CHAOS_LEDGER names the file."""
    global _file
    if _file < 0:
        _file = os.open(os.environ["CHAOS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    text = text.replace("\t", " ").replace("\n", " ")[:500]
    line = f"{kind}\t{time.monotonic():.6f}\t{os.getpid()}\t{key}\t{number}\t{text}\n"
    os.write(_file, line.encode())


def started(key: str, attempt: int) -> None:
    write("start", key, attempt)


def ended(key: str, attempt: int) -> None:
    """The effect has happened."""
    write("end", key, attempt)


def ready() -> None:
    """A worker process has started."""
    write("ready", "")


def note(key: str, text: str) -> None:
    write("note", key, 0, text)


def use(path: Path) -> None:
    """Make this process write there, as its children will."""
    global _file
    os.environ["CHAOS_LEDGER"] = str(path)
    _file = -1

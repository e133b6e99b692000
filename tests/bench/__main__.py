"""`python -m tests.bench [groups] [--rounds 3] [--big] [--server jemalloc]`: measure in turns, print."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.rig import Rig
from tests.bench.servers import JEMALLOC, Unavailable, named
from tests.bench.subjects import Subject
from tests.bench.table import Table

GROUPS = (
    "throughput",
    "latency",
    "idle",
    "enqueue",
    "scale",
    "workflows",
    "pages",
    "schedules",
    "reminders",
    "digest",
    "monitor",
    "monitor_pages",
    "counts",
    "cost",
    "tracing",
)
UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE


def main() -> int:
    """Every round measures every subject once, so that a busy minute of the machine hits all of them."""
    options = parse()
    os.environ["BENCH_BIG"] = "1" if options.big else ""
    try:
        server = named(options.server)
    except Unavailable as why:
        print(f"Not measured on a server with {options.server}: {why}.", file=sys.stderr)
        return UNAVAILABLE
    os.environ["BENCH_JEMALLOC"] = "1" if server.allocator.startswith(JEMALLOC) else ""
    groups = [importlib.import_module(f"tests.bench.{name}") for name in options.groups]
    table, failed = Table(), False
    with tempfile.TemporaryDirectory(prefix="quarq-bench-") as folder:
        rig = Rig(Path(folder), server)
        try:
            described = rig.describe()
            for group in groups:
                wanted = [s for s in group.SUBJECTS if not options.only or s.name in options.only]
                for turn in range(options.rounds):
                    for subject in wanted:
                        failed |= not measure(group, rig, subject, table, turn)
        finally:
            rig.server.stop()
    print(described)
    reached = table.print(target for group in groups for target in group.TARGETS)
    return 0 if reached and not failed else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="a figure is the median of these (default 3)")
    parser.add_argument("--only", nargs="+", metavar="subject", help="names of columns, such as arq, ours")
    parser.add_argument("--big", action="store_true", help="1,000,000 jobs where it is 100,000 by default")
    parser.add_argument(
        "--server",
        default=os.environ.get("BENCH_SERVER", ""),
        help="a path, or jemalloc: one that is built with it, installed or Debian's; that of `make run` by default",
    )
    options = parser.parse_args()
    options.groups = options.groups or GROUPS
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group named {min(unknown)!r}; there are: {', '.join(GROUPS)}")
    return options


def measure(group: object, rig: Rig, subject: Subject, table: Table, turn: int) -> bool:
    """One subject once. A subject that fails is reported and does not end the run."""
    began = time.monotonic()
    name = f"{group.__name__.rpartition('.')[2]} {turn + 1}: {subject.name}"  # type: ignore[attr-defined]
    try:
        figures = group.measure(rig, subject)  # type: ignore[attr-defined]
    except RuntimeError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return False
    table.add(subject, figures)
    print(f"{name} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.bench.peers [--only SAQ ArdiQ] [--rounds 3] [--server jemalloc]`: other queues beside ours.

Every round measures every queue once, so that a busy minute of the machine hits all. A figure is their median.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.peers import FOLDER, PEERS, QUARQ, Peer
from tests.bench.peers.killed import all_killed
from tests.bench.peers.measure import measure
from tests.bench.peers.table import print_table
from tests.bench.peers.targets import print_verdicts
from tests.bench.rig import Rig
from tests.bench.servers import JEMALLOC, Unavailable, named
from tests.bench.table import Table
from tests.venv import make_venv

UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE
PACKAGES = Path(__file__).parent.parent / "peers.txt"


def main() -> int:
    options = parse()
    try:
        server = named(options.server)
    except Unavailable as why:
        say(f"Not measured on a server with {options.server}: {why}.")
        return UNAVAILABLE
    began = time.monotonic()
    wanted = [peer for peer in PEERS if peer is QUARQ or not options.only or peer.name in options.only]
    missing = {peer.name: reason for peer in wanted if (reason := cannot_run(peer))}
    measured = [peer for peer in wanted if peer.name not in missing]
    table = Table()
    with tempfile.TemporaryDirectory(prefix="quarq-bench-") as folder:
        rig = Rig(Path(folder), server)
        try:
            described = rig.describe()
            for turn in range(options.rounds):
                for peer in (peer for peer in measured if peer.name not in missing):
                    if reason := measure_once(rig, peer, table, turn):
                        missing[peer.name] = reason
        finally:
            rig.server.stop()
    say("killing workers: two minutes at most")
    killed = all_killed(measured, server)
    print(described)
    print_table(measured, table.rows(), killed)
    reached = print_verdicts(table, jemalloc=server.allocator.startswith(JEMALLOC))
    for name, reason in missing.items():
        print(f"{name}: {reason}.")
    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds, {time.monotonic() - began:.0f} s.")
    return 0 if reached and not set(missing) & {peer.name for peer in measured} else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="name", help=f"beside Quarq, of {[p.name for p in PEERS[1:]]}")
    parser.add_argument("--rounds", type=int, default=3, help="a figure is the median of these (default 3)")
    parser.add_argument("--server", default="", help="as for python -m tests.bench")
    return parser.parse_args()


def cannot_run(peer: Peer) -> str:
    """Install it, in an environment of its own. Returns why it cannot be measured here, if so."""
    if sys.version_info < peer.python:
        return f"not measured here: it needs Python {peer.python[0]}.{peer.python[1]}"
    if peer is QUARQ:
        return ""
    lines = (line.partition(":") for line in PACKAGES.read_text().splitlines() if not line.startswith("#"))
    packages = {name: text.split() for name, _, text in lines}[peer.subject.module]
    say(f"installing {peer.name}: {' '.join(packages)}")
    try:
        make_venv(FOLDER / peer.subject.module, *packages)
    except subprocess.CalledProcessError as error:
        return f"not measured: it could not be installed ({error})"
    return ""


def measure_once(rig: Rig, peer: Peer, table: Table, turn: int) -> str:
    """Returns why it failed, if so: the others are measured all the same."""
    began = time.monotonic()
    try:
        table.add(peer.subject, measure(rig, peer))
    except RuntimeError as error:
        say(f"round {turn + 1}: {error}")
        return f"failed in round {turn + 1}: {str(error)[:200]}"
    say(f"round {turn + 1}: {peer.name} ({time.monotonic() - began:.0f} s)")
    return ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

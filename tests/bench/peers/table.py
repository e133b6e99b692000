"""The table of all queues, as Markdown, and how ours stands beside the fastest in each column."""

from __future__ import annotations

from collections.abc import Iterable

from tests.bench.peers import QUARQ, Peer
from tests.bench.peers.measure import LESS_IS_BETTER, ROWS
from tests.bench.table import Row, number


def print_table(peers: Iterable[Peer], rows: dict[str, Row], killed: dict[str, str]) -> None:
    """A queue a line. What was not measured is a dash."""
    peers = list(peers)
    print("\n| queue |", " | ".join(ROWS), "| a killed worker's job |")
    print("|---" * (len(ROWS) + 2) + "|")
    for peer in peers:
        cells = [number(rows[name][peer.name]) if peer.name in rows.get(name, {}) else "-" for name in ROWS]
        print(f"| {peer.name} |", " | ".join(cells), f"| {killed.get(peer.name, '-')} |")
    print()
    for peer in peers:
        if peer.note:
            print(f"{peer.name}: {peer.note}.")
    print("\nQuarq beside the best of them, and beside the best whose core is Python:")
    for name in ROWS:
        if name in rows:
            print(f"    {name:36}{against(peers, name, rows[name])}")


def against(peers: list[Peer], name: str, row: Row) -> str:
    """Such as "0.90 x ArdiQ, 6.10 x SAQ". For times and memory, less is better."""
    said = []
    for others in (peers, [peer for peer in peers if peer.pure]):
        figures = {peer.name: row[peer.name] for peer in others if peer is not QUARQ and peer.name in row}
        if figures and QUARQ.name in row:
            best = (min if name in LESS_IS_BETTER else max)(figures, key=lambda peer: figures[peer])
            said.append(f"{row[QUARQ.name] / figures[best]:.2f} x {best}")
    return ", ".join(dict.fromkeys(said)) or "not measured"

"""What `make bench-peers` says of the figures: the README repeats it."""

from __future__ import annotations

import pytest

from tests.bench.latency import P50
from tests.bench.peers import PEERS, table
from tests.bench.peers.__main__ import PACKAGES
from tests.bench.peers.measure import BULK
from tests.bench.peers.targets import print_verdicts
from tests.bench.table import Table


def test_the_best_of_all_is_named_and_the_best_whose_core_is_python() -> None:
    calls = {"Quarq": 40_000.0, "SAQ": 4_000.0, "ArdiQ": 80_000.0, "docket": 5_000.0}
    waits = {"Quarq": 1.0, "SAQ": 4.0, "Celery": 2.0}

    assert table.against([*PEERS], BULK, calls) == "0.50 x ArdiQ, 8.00 x docket"
    assert table.against([*PEERS], P50, waits) == "0.50 x Celery"


def test_what_was_measured_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Table()
    for peer, calls in zip(PEERS[:2], (30_000, 4_000), strict=True):
        measured.add(peer.subject, {BULK: calls})

    assert print_verdicts(measured, jemalloc=False)
    assert " ".join(capsys.readouterr().out.split()) == f"{BULK} >= 7 x SAQ ok"


def test_each_peer_has_pinned_packages() -> None:
    lines = [line.split() for line in PACKAGES.read_text().splitlines() if not line.startswith("#")]

    assert {f"{peer.subject.module}:" for peer in PEERS[1:]} == {name for name, *_ in lines}
    assert all("==" in package for _, *packages in lines for package in packages)

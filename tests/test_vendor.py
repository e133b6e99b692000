"""Other people's files are the ones that their makers published."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("folder", ["tests/vendor", "jobs/monitor_site/static/vendor"])
def test_every_vendored_file_is_unchanged_and_has_its_licence(folder: str) -> None:
    here = ROOT / folder
    listed = [line.split() for line in (here / "VENDOR.txt").read_text().splitlines() if "sha512-" in line]
    files = {name: sha256 for name, _, _, sha256 in listed}

    assert {path.name for path in here.iterdir() if path.suffix in (".js", ".css", ".json")} == set(files)
    for name, package, _, sha256 in listed:
        assert hashlib.sha256((here / name).read_bytes()).hexdigest() == sha256, name
        assert (here / f"{package.split('@')[0]}-LICENSE").exists(), name

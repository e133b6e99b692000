"""Other people's files are the ones that their makers published."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "vendor"


def test_every_vendored_file_is_unchanged_and_has_its_licence() -> None:
    listed = [line.split() for line in (FOLDER / "VENDOR.txt").read_text().splitlines() if "sha512-" in line]
    files = {name: sha256 for name, _, _, sha256 in listed}

    assert {path.name for path in FOLDER.glob("*.js")} == set(files)
    for name, package, _, sha256 in listed:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sha256, name
        assert (FOLDER / f"{package.split('@')[0]}-LICENSE").exists(), name

"""The versions that we name: one of each package for every Python."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

import pytest

from settings import ROOT
from tests import compat

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-site.lock"])
def test_a_lock_holds_one_version_of_each_package(name: str) -> None:
    packages = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / name).read_text(), re.MULTILINE)

    assert len(packages) > 20
    assert [package for package, times in Counter(packages).items() if times > 1] == []


def test_only_tested_pythons_are_named() -> None:
    """The lowest, which mypy and ruff check against as well, and the one of `make compat`."""
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    prefix = "Programming Language :: Python :: 3."
    named = {
        line.removeprefix(prefix) for line in PROJECT["project"]["classifiers"] if line.startswith(prefix)
    }
    [image] = re.findall(r"^FROM python:([\d.]+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert {f"3.{minor}" for minor in named} == {lowest, compat.PYTHON}
    assert image == compat.PYTHON
    assert PROJECT["tool"]["mypy"]["python_version"] == lowest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")


def test_compat_says_why_it_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert compat.main(["true"]) == compat.UNAVAILABLE
    assert capsys.readouterr().err == "Not tried on Debian trixie with Python 3.13: only root can make it.\n"

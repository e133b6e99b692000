"""The versions that we name: one of each package for every Python."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from typing import Any

import pytest
from packaging.requirements import Requirement

from settings import ROOT
from tests import compat

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


LOCKS = {"requirements.lock": 60, "requirements-site.lock": 30, "requirements-embedded.lock": 5}
"""With a number of packages that each has at least: a lock that was read wrongly would pass every test."""


def locked(name: str) -> list[Requirement]:
    lines = re.findall(r"^([\w.-]+(?:\[.*\])?==[^\\\n]+)", (ROOT / name).read_text(), re.MULTILINE)
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize(("name", "at_least"), LOCKS.items())
def test_a_lock_holds_one_version_of_each_package(name: str, at_least: int) -> None:
    packages = [requirement.name for requirement in locked(name)]

    assert len(packages) >= at_least
    assert [package for package, times in Counter(packages).items() if times > 1] == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_lock_has_the_versions_that_tests_run_with(name: str) -> None:
    def versions(of: str) -> set[tuple[str, str]]:
        return {(requirement.name, str(requirement.specifier)) for requirement in locked(of)}

    assert versions(name) <= versions("requirements.lock")


def test_make_run_installs_at_most_45_packages() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = re.findall(r"-r (\S+)", planned.stdout)
    here = {
        requirement.name
        for file in files
        for requirement in locked(file)
        if requirement.marker is None or requirement.marker.evaluate()
    }

    assert files == ["requirements-site.lock", "requirements-embedded.lock"]
    assert 30 < len(here) <= 45


def test_the_library_requires_six_packages() -> None:
    required = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}

    assert required == {"arq", "click", "msgpack", "pebble", "redis", "tzdata"}


def test_only_tested_pythons_are_named() -> None:
    """The lowest, which mypy and ruff check against as well, and the one of `make compat`."""
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    prefix = "Programming Language :: Python :: 3."
    named = {line.removeprefix(prefix) for line in PROJECT["project"]["classifiers"] if line.startswith(prefix)}
    [image] = re.findall(r"^FROM python:([\d.]+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert {f"3.{minor}" for minor in named} == {lowest, compat.PYTHON}
    assert image == compat.PYTHON
    assert PROJECT["tool"]["mypy"]["python_version"] == lowest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")


def test_compat_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert compat.main(["true"]) == compat.UNAVAILABLE
    assert capsys.readouterr().err == "Not tried on Debian trixie with Python 3.13: only root can make it.\n"

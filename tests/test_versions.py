"""The versions that we name: one of each package for every Python."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from settings import ROOT


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-site.lock"])
def test_a_lock_holds_one_version_of_each_package(name: str) -> None:
    packages = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / name).read_text(), re.MULTILINE)

    assert len(packages) > 20
    assert [package for package, times in Counter(packages).items() if times > 1] == []

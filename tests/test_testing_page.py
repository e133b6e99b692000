"""docs/testing.md: each example is short and runs, with pytest-asyncio and with anyio; unused fixtures cost nothing."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT

FENCES = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "testing.md").read_text(), re.MULTILINE | re.DOTALL)
[MODULE] = [fence for fence in FENCES if fence.startswith("# shop.py\n")]
EXAMPLES = [fence for fence in FENCES if fence != MODULE]
BEFORE = """
import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import shop
from jobs import crontab, group, worker_settings
from jobs.testing import assert_enqueued
from shop import *

{mark}

@pytest.fixture(autouse=True)
def nothing_mailed():
    mailed.clear()

"""
PLUGINS = {
    "pytest-asyncio": ("", ["-p", "no:anyio", "-o", "asyncio_mode=auto"]),
    "anyio": (
        "pytestmark = pytest.mark.anyio\nanyio_backend = pytest.fixture(lambda: 'asyncio')",
        ["-p", "no:asyncio"],
    ),
    "neither": ("", ["-p", "no:asyncio", "-p", "no:anyio", "-k", "plain_test"]),
}


def run(folder: Path, *words: str, redis_url: str = "") -> str:
    """What pytest writes about the tests in *folder*, which are not those of this repository."""
    environ = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "JOBS_TEST_REDIS_URL": redis_url}
    environ.pop("PYTEST_ADDOPTS", None)
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "pytest_quarq_jobs", "-p", "no:valkey", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, *words]
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_each_example_has_less_than_ten_lines() -> None:
    lengths = {fence.partition("(")[0]: len(fence.splitlines()) for fence in EXAMPLES}

    assert len(lengths) >= 10
    assert {name: length for name, length in lengths.items() if length >= 10} == {}
    assert [fence for fence in EXAMPLES if len(ast.parse(fence).body) != 1] == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_examples_run(plugin: str, tmp_path: Path, redis_url: str) -> None:
    """How long each takes is printed: `pytest -s -k examples_run`."""
    mark, words = PLUGINS[plugin]
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text(BEFORE.format(mark=mark) + "\n\n".join(EXAMPLES))

    said = run(tmp_path, *words, "-vv", "--durations=0", redis_url=redis_url)

    print(said)
    passed = set(re.findall(r"::(\w+)\S* PASSED", said))
    assert passed == set(re.findall(r"def (test_\w+)", "".join(EXAMPLES) if plugin != "neither" else EXAMPLES[6]))


ALONE = """
def test_nothing_is_imported():
    import sys

    assert {"jobs", "arq", "redis", "msgpack"} & sys.modules.keys() == set()
"""


def test_the_fixtures_import_nothing_until_one_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_alone.py").write_text(ALONE)

    assert "1 passed" in run(tmp_path, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:timeout", "-p", "no:xdist")


def test_a_server_is_started_where_no_address_is_given(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text(BEFORE.format(mark="") + EXAMPLES[0])

    assert "1 passed" in run(tmp_path, *PLUGINS["pytest-asyncio"][1])

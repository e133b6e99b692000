"""docs/frameworks.md: its applications and its notebook do what it shows, and what it says of them holds."""

from __future__ import annotations

import asyncio
import doctest
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT
from tests.documents import CHECKER, FLAGS
from tests.frameworks import environment, has_django_6, python_with_frameworks

pytestmark = pytest.mark.timeout(240)  # the first run makes an environment

TEXT = (ROOT / "docs" / "frameworks.md").read_text()
FENCES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MODULES = {match[1]: fence for fence in FENCES if (match := re.match(r"# ([\w/]+\.py)\n", fence))}
LINES = "".join(fence for fence in FENCES if fence.startswith(">>> "))
[DIALOGUE] = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
CLAIMS = {"test_claims.py": "framework_claims.py", "test_django_claims.py": "django_claims.py"}


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Iterator[Path]:
    """With the modules of the page, and the worker that knows all of its tasks."""
    arq = python_with_frameworks().with_name("arq")
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(
            text if has_django_6() else text.replace("from django.tasks ", "from django_tasks ")
        )
    for name, source in CLAIMS.items():
        shutil.copy(ROOT / "tests" / source, tmp_path / name)
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [arq, "site_worker.WorkerSettings"], cwd=tmp_path, env=environment(redis_url), stdout=log, stderr=log
        )
    yield tmp_path
    worker.terminate()
    worker.wait()
    print((tmp_path / "log").read_text())


async def test_each_program_does_what_the_page_says(folder: Path, redis_url: str) -> None:
    """At the same time: applications with the claims of the page, the notebook, and Django's tasks."""
    examples = doctest.DocTestParser().get_examples(LINES)
    cells = [example.source for example in examples]

    tested, shown, ordered = await asyncio.gather(
        run(folder, redis_url, "-m", "pytest", "-q"),
        run(folder, redis_url, str(ROOT / "tests" / "notebook.py"), given=json.dumps(cells)),
        run(folder, redis_url, "place_order.py"),
    )

    assert re.search(r"^23 passed", tested, re.MULTILINE), tested
    assert len(examples) > 8
    for example, text in zip(examples, json.loads(shown), strict=True):
        assert CHECKER.check_output(example.want, text, FLAGS), f"{example.source} shows {text}"
    assert f"$ python place_order.py\n{ordered}" == DIALOGUE


async def run(folder: Path, redis_url: str, *words: str, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *(python_with_frameworks(), *words),
        cwd=folder,
        env=environment(redis_url) | {"JOBS_TEST_REDIS_URL": redis_url, "DJANGO_SETTINGS_MODULE": "site_settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate(given.encode())
    assert process.returncode == 0, (output + errors).decode()
    return output.decode()

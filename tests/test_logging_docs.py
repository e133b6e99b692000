"""`docs/logging.md`: its tables are the lines of the source, its programs run, and its JSON is what they write."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import connect, send_task
from settings import ROOT
from tests.documents import as_in_the_clone
from tests.log_lines import Line, lines_of_the_library

TEXT = as_in_the_clone(ROOT / "docs" / "logging.md")
MODULES = {
    name: code for name, code in re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
}
SHOWN = [json.loads(line) for line in re.findall(r"^\{.*\}$", TEXT, re.MULTILINE)]


def rows(heading: str) -> list[list[str]]:
    table = re.split(r"^## ", TEXT.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    cells = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in row] for row in cells]


def test_every_line_of_the_source_is_in_a_table_and_no_other() -> None:
    of_workers = {
        Line("arq.worker.jobs", level, text.replace("\\n", "\n"))
        for text, level, *_ in rows("The lines of `arq.worker.jobs`")
    }
    of_others = {Line(logger, level, text) for text, level, logger, *_ in rows("Other loggers")}

    assert of_workers | of_others == lines_of_the_library()


def without_what_varies(line: dict[str, Any], job_id: str) -> dict[str, Any]:
    message = re.sub(r"^ *[\d.]+s", "SECONDS", line["message"].replace(job_id, "ID"))
    message = re.sub(r" delayed=[\d.]+s$", "", message)  # on a busy machine
    same = {name: value for name, value in line.items() if name not in ("time", "run_s")}
    return {**same, "message": message, "job_id": "ID"}


def run(folder: Path, redis_url: str, *words: str) -> list[dict[str, Any]]:
    environ = os.environ | {"REDIS_URL": redis_url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    arq = [sys.executable, "-m", "arq", "--burst", *words]
    ended = subprocess.run(arq, cwd=folder, env=environ, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stderr.splitlines()]


WITH_STRUCTLOG = "from with_structlog import bind_job, configure\nconfigure()\n"


@pytest.mark.parametrize(
    "words",
    [["shop.WorkerSettings"], ["--custom-log-dict", "own_config.LOGGING", "plain.WorkerSettings"]],
    ids=["log_format", "dictConfig"],
)
async def test_lines_are_as_the_page_shows_them(tmp_path: Path, redis_url: str, words: list[str]) -> None:
    for name, code in {**MODULES, "plain": MODULES["shop"].replace(', log_format="json"', "")}.items():
        (tmp_path / f"{name}.py").write_text(code)
    async with connect(redis_url):
        call = await send_task("shop.charge", (7, "tok_1"))

    lines = run(tmp_path, redis_url, *words)

    written = [without_what_varies(line, call.id) for line in lines if line.get("job_id") == call.id]
    assert written == [without_what_varies(line, "4fc5") for line in SHOWN]
    assert lines[0].keys() == {"time", "level", "logger", "message"}


OF_ARQ = """

async def ship(ctx):
    log.info("no van")
    raise ValueError("no luck")
"""


async def test_structlog_has_the_same_fields(tmp_path: Path, redis_url: str) -> None:
    code = MODULES["shop"].replace(', log_format="json"', ", functions=[ship], on_job_start=bind_job")
    code = code.replace("import os\n", "import os\nimport structlog\n").replace("extra={", "**{")
    code = code.replace('logging.getLogger("shop")', 'structlog.get_logger("shop")' + OF_ARQ)
    (tmp_path / "shop.py").write_text(WITH_STRUCTLOG + code)
    (tmp_path / "with_structlog.py").write_text(MODULES["with_structlog"])
    async with connect(redis_url) as connection:
        call = await send_task("shop.charge", (7, "tok_1"))
        await connection.enqueue_job("ship", _job_id="ship-1")

    written = run(tmp_path, redis_url, "shop.WorkerSettings")

    lines = [line for line in written if line.get("job_id") == call.id]
    assert [line["logger"] for line in lines] == ["arq.worker.jobs", "shop", "arq.worker.jobs"]
    assert {line["task"] for line in lines} == {"shop.charge"}
    assert [line.get("state") for line in lines] == ["STARTED", None, "SUCCESS"]
    assert (lines[1]["event"], lines[1]["order"]) == ("asking the bank", 7)
    assert all(line["time"] and line["level"] for line in written)
    of_arq = [line for line in written if line.get("job_id") == "ship-1"]
    assert [line.get("state") for line in of_arq] == ["STARTED", None, "FAILURE"]
    assert of_arq[1]["event"] == "no van"
    assert of_arq[2]["exception"].endswith("ValueError: no luck")

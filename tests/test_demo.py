"""`make demo` in a shorter form: workers are killed, and nothing is lost."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from settings import ROOT


@pytest.mark.timeout(180)
async def test_the_demo_loses_nothing_and_says_so_in_its_last_line() -> None:
    command = ["-m", "examples.demo", "600"]
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await demo.communicate())[0].decode()
    *_, arq, ours, workflow, last = output.splitlines()

    assert demo.returncode == 0, output
    assert re.fullmatch(r"lost 0, done twice \d+", last)
    assert workflow == "The result of the workflow is right"
    kills, cut_off = re.fullmatch(
        r"Quarq: (\d+) workers? killed, 701 of 701 done in \d+ s; (\d+) were cut off and ran again", ours
    ).groups()  # type: ignore[union-attr]
    assert int(kills) >= 1
    assert int(cut_off) >= 1
    assert re.match(rf"arq [\d.]+: {kills} workers? killed, \d+ of 600 jobs done", arq)
    shown = (ROOT / "README.md").read_text().partition("```text\narq ")[2].partition("\n```")[0]
    assert without_numbers(f"arq {shown}") == without_numbers("\n".join([arq, ours, workflow, last]))


def without_numbers(text: str) -> str:
    return re.sub(r"\d[\d.,]*", "N", text)

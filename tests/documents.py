"""Runs the python of a page in `docs/`: modules on a worker process, dialogues here, comparing what they show."""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import traceback
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import ROOT

CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def as_in_the_clone(path: Path) -> str:
    """The text of a page of the library, which says `quarq_jobs`. Here the same folder is `jobs`."""
    return re.sub(r"\bquarq_jobs\b", "jobs", path.read_text())


@dataclass(frozen=True)
class Section:
    """`## 7. States` and what stands under it."""

    number: int
    title: str
    text: str

    def fences(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    @property
    def dialogues(self) -> list[str]:
        """Its python but for the parts of modules."""
        return [fence for fence in self.fences("python") if not fence.startswith("# ")]


@dataclass(frozen=True)
class Page:
    """A page whose sections are numbered."""

    path: Path

    @property
    def sections(self) -> dict[int, Section]:
        parts = re.split(r"^## (\d+)\. (.+)$", as_in_the_clone(self.path), flags=re.MULTILINE)[1:]
        triples = zip(*[iter(parts)] * 3, strict=True)
        return {int(number): Section(int(number), title, text) for number, title, text in triples}

    def modules(self) -> dict[str, str]:
        """Fences that begin with `# tasks.py`, joined by that name."""
        files: dict[str, str] = {}
        for section in self.sections.values():
            for fence in section.fences("python"):
                if match := re.match(r"# (\w+\.py)\n", fence):
                    files[match[1]] = files.get(match[1], "") + fence + "\n\n"
        return files


@contextlib.contextmanager
def worker_of(module: str, folder: Path, redis_url: str) -> Iterator[Path]:
    """`arq <module>.WorkerSettings` in *folder*, until the block ends; yields its log."""
    log = folder / "worker.log"
    environ = os.environ | {"REDIS_URL": redis_url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "arq", f"{module}.WorkerSettings"],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log
    finally:
        worker.terminate()
        worker.wait()


def run_commands(fence: str, folder: Path, redis_url: str) -> None:
    """Type the lines after `$` in, in *folder*; fail where what they write is not what the page shows."""
    for command, want in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", fence, re.MULTILINE):
        program, *words = shlex.split(command)
        assert program == "python"
        environ = os.environ | {"REDIS_URL": redis_url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        ended = subprocess.run([sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True)
        assert CHECKER.check_output(want, ended.stdout, FLAGS), (
            f"{command} writes\n{ended.stdout}{ended.stderr}and the page says\n{want}"
        )


async def run_dialogue(fence: str, names: dict[str, Any]) -> None:
    """Type the lines in; fail where what they show is not what the page shows."""
    examples = doctest.DocTestParser().get_examples(fence)
    assert examples, f"neither a part of a module nor a dialogue:\n{fence}"
    for example in examples:
        shown = await _type_in(example.source, names)
        assert CHECKER.check_output(example.want, shown, FLAGS), (
            f"{example.source}shows\n{shown}and the page says\n{example.want}"
        )


async def _type_in(source: str, names: dict[str, Any]) -> str:
    shown = io.StringIO()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        code = compile(source, "<page>", "single", flags=flags, dont_inherit=True)
        with contextlib.redirect_stdout(shown):
            answer = types.FunctionType(code, names)()
            if inspect.iscoroutine(answer):
                await answer
    except Exception as error:
        shown.write(traceback.format_exception_only(error)[0])
    return shown.getvalue()

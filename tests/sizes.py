"""`python -m tests.sizes`: how large files and functions are, and the limits that they keep."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from statistics import median

from jobs.tasks.options import TaskOptions

ROOT = Path(__file__).resolve().parent.parent
LIBRARY_LINES, FILE_LINES, MEDIAN_LINES, FUNCTION_LINES, TASK_OPTIONS, REQUIRED = 15_000, 300, 80, 40, 30, 6
CANVAS, CANVAS_LINES = ("jobs/workflows/canvas.py", "jobs/workflows/gathering.py"), 320
NOT_COUNTED = ("jobs/monitor_site/", "jobs/contrib/")
"""Parts of jobs/ that are no part of its size."""
MIGRATIONS = "app/migrations/versions/"
"""Their functions are data: what a table was at one time."""


def files(*suffixes: str) -> list[Path]:
    """The source of the library and of the site."""
    found = [path for part in ("jobs", "app") for path in (ROOT / part).rglob("*") if path.suffix in suffixes]
    return sorted([*found, *ROOT.glob("*.py")] if ".py" in suffixes else found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions() -> Iterator[tuple[int, str]]:
    """Each function as (lines, where), its docstring not counted."""
    for path in files(".py"):
        if name_of(path).startswith(MIGRATIONS):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
                lines = (node.end_lineno or 0) - node.lineno + 1 - docstring
                yield lines, f"{name_of(path)}:{node.lineno} {node.name}"


def main() -> int:
    python = [(lines_of(path), name_of(path)) for path in files(".py") if lines_of(path) > 1]
    library = sum(
        lines_of(path)
        for path in files(".py", ".pyi", ".lua")
        if name_of(path).startswith("jobs/") and not name_of(path).startswith(NOT_COUNTED)
    )
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    largest, longest = max(python), max(functions())
    options = len(fields(TaskOptions)) + 1  # and its name
    middle = median(size for size, _ in python)
    canvas = sum(lines_of(ROOT / name) for name in CANVAS)
    print(f"jobs/: {library:,} lines; @task: {options} options; required dependencies: {len(required)}")
    print(f"files: median {middle:g} lines, largest {largest[0]}: {largest[1]}")
    print(f"longest function: {longest[0]} lines: {longest[1]}")
    limits = [
        (library, LIBRARY_LINES - 1, "lines in jobs/"),
        (largest[0], FILE_LINES, "lines in a file"),
        (middle, MEDIAN_LINES, "lines in the median file"),
        (canvas, CANVAS_LINES - 1, "lines in canvas.py and gathering.py"),
        (longest[0], FUNCTION_LINES, "lines in a function"),
        (options, TASK_OPTIONS - 1, "options of @task"),
        (len(required), REQUIRED, "required dependencies"),
    ]
    over = [f"{found:,} {what}, at most {limit:,}" for found, limit, what in limits if found > limit]
    print(*over, sep="\n", end="\n" if over else "")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())

"""Rules for tests: no test file imports another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FILES = sorted(TESTS.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_test_file_is_imported(path: Path) -> None:
    """What several share is in a module named for what it holds: whoever changes a test changes that test alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            assert not (module.startswith("tests.") and ".test_" in module), f"{relative(path)}: {module}"

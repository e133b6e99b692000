"""Rules for tests: no test file imports another, none reads what is private."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
NODES = {path: list(ast.walk(ast.parse(path.read_text()))) for path in sorted(TESTS.rglob("*.py"))}


def relative(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def test_no_test_file_is_imported() -> None:
    """What several share is in a module named for what it holds: whoever changes a test changes that test alone."""
    for path, node in ((path, node) for path, nodes in NODES.items() for node in nodes):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            assert not (module.startswith("tests.") and ".test_" in module), f"{relative(path)}: {module}"


ARE_PUBLIC = {"_exit", "_asdict", "_replace", "_fields", "_getframe"}
MAY_READ = {
    "chaos/crashing.py": "it dies before and after each step that a process can die between",
    "chaos/crashing_steps.py": "the same, of the steps of a job",
    "smtp_server.py: _transport": "asyncio leaves a refused handshake without a transport, and then misses it",
    "jobs/worker/test_loops.py: _log_destroy_pending": "what asyncio rightly says of a task that is thrown away",
    "jobs/worker/test_connection.py: _waiting": "nothing else shows that nothing is kept of who has given up",
    "jobs/worker/test_workflow_waits.py: _until_ended": "a cancellation cannot be lost on order",
    "test_redis_url.py: _redis": "where the site's limits connect to",
    "registered_tasks.py": "no process takes a task out of the registry again",
}
"""Whose private names are read all the same, and why."""


def test_no_private_name_of_another_is_read() -> None:
    """A test holds what somebody can rely on: `worker.statistics()`, what Redis, the log or a page shows."""
    for path, nodes in NODES.items():
        private_names(path, nodes)


def private_names(path: Path, nodes: list[ast.AST]) -> None:
    names = [(node.value, node.attr) for node in nodes if isinstance(node, ast.Attribute)]
    own = {name for owner, name in names if isinstance(owner, ast.Name) and owner.id in ("self", "cls")}
    imported = [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]

    for name in {name for _, name in names} - own - ARE_PUBLIC | set(imported):
        if name.startswith("_") and not name.startswith("__"):
            assert {relative(path), f"{relative(path)}: {name}"} & MAY_READ.keys(), f"{relative(path)}: {name}"

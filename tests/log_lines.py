"""Every line that the library logs at INFO or above, as its source has it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {
    "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR", "critical": "CRITICAL",
    "_info": "INFO", "_logged": "ERROR",
}  # fmt: skip
"""What logs -> its level. `_info` is `job_log`'s, `_logged` that of `outcome_encoding`."""


OF_ARQ = "redis_version=%s mem_usage=%s clients_connected=%s db_keys=%s"
"""What arq's `log_redis_info` writes."""


@dataclass(frozen=True, order=True)
class Line:
    logger: str
    level: str
    text: str


def lines_of_the_library() -> set[Line]:
    return {line for path in (ROOT / "jobs").rglob("*.py") for line in _lines(ast.parse(path.read_text()))}


def _lines(module: ast.Module) -> Iterator[Line]:
    """The calls of `logger.info(...)` and its like. Whatever is logged must be a literal text: else nobody finds it."""
    loggers = {
        node.targets[0].id: node.value.args[0].value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "logging.getLogger"
        and isinstance(node.value.args[0], ast.Constant)
    }
    for node in ast.walk(module) if loggers else ():
        if not isinstance(node, ast.Call):
            continue
        owner, _, name = ast.unparse(node.func).rpartition(".")
        if name == "log_redis_info":
            yield Line(*loggers.values(), "INFO", OF_ARQ)
        elif name in LEVELS and (owner in loggers or (name.startswith("_") and not owner)) and not _is_forwarded(node):
            (text,) = {word.value for word in node.args[:1] if isinstance(word, ast.Constant)} or {ast.unparse(node)}
            yield Line(*loggers.values(), LEVELS[name], str(text))


def _is_forwarded(call: ast.Call) -> bool:
    """In `_info` and `_logged` themselves."""
    return isinstance(call.args[0], ast.Name) and call.args[0].id == "message"

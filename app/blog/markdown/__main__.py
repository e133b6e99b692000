"""`python -I __main__.py`: read a text and write what is derived from it as JSON, within limits."""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

CPU_S, MEMORY = 2, 1 << 30


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    markdown = _import_alone()
    markdown.colours.set_alarm()
    text = sys.stdin.buffer.read().decode()
    sys.stdout.write(json.dumps(markdown.derived(text)))


def _import_alone() -> ModuleType:
    """Import this package without the code of the packages above it, which import the whole site."""
    folder = Path(__file__).parent
    for name, above in (("app", folder.parent.parent), ("app.blog", folder.parent)):
        package = ModuleType(name)
        package.__path__ = [str(above)]
        sys.modules[name] = package
    return import_module("app.blog.markdown")


if __name__ == "__main__":
    main()

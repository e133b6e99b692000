"""`make docs`: build the documentation into `.cache/docs`; every warning is an error."""

from __future__ import annotations

import os
import subprocess
import sys

from settings import ROOT
from tests.venv import make_venv


def main() -> int:
    """mkdocs and its plugins have an environment of their own: nothing of ours may depend on them."""
    lock = ROOT / "requirements-docs.lock"
    python = make_venv(ROOT / ".cache" / "docs-venv", "--require-hashes", "-r", str(lock), key=lock.read_text())
    command = [python, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=False)
    if built.returncode == 0:
        print(f"Built: {ROOT / '.cache' / 'docs' / 'index.html'}")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())

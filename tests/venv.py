"""A virtual environment for what must not share ours: made once, made again when what it holds changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def make_venv(folder: Path, *requirements: str, key: str = "") -> Path:
    """Returns its python. `key` adds what the requirements do not say, such as a named file's text."""
    python, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = "\n".join([*requirements, key, sys.version])
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        # Debian's python has no ensurepip, and our own environment may have been made without pip.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install(python, *requirements)
        stamp.write_text(wanted)
    return python


def install(python: Path, *requirements: str) -> None:
    """Add to an environment."""
    subprocess.run([*_pip(), "--python", python, "install", "-qq", *requirements], check=True)


def download_source(folder: Path, name: str, version: str) -> None:
    """One project's source distribution."""
    command = [*_pip(), "download", "-qq", "--no-deps", "--no-binary", name, "-d", folder, f"{name}=={version}"]
    subprocess.run(command, check=True)


def build_wheel(project: Path, folder: Path) -> Path:
    """The wheel of a project, in *folder*."""
    subprocess.run([*_pip(), "wheel", "-qq", "--no-deps", "-w", folder, project], check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def _pip() -> list[str]:
    python = sys.executable if find_spec("pip") else str(Path(sys.base_prefix) / "bin" / "python3")
    return [python, "-m", "pip"]

"""Prometheus' own checker of rules, as the test of the alerts needs it: found, or fetched from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "promtool"


def find() -> str:
    """Its path. None is an error: a skipped test shows nothing."""
    if path := shutil.which("promtool"):
        return path
    if CACHE.exists():
        return str(CACHE)
    raise RuntimeError(
        "no promtool to test the alerts with: run `.venv/bin/python -m tests.promtool`, or install Prometheus"
    )


def install() -> None:
    """Unpack it from Debian's package: nothing else of Prometheus is installed, and nobody has to be root."""
    try:
        find()
        return
    except RuntimeError:
        pass
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        sys.exit("No promtool to test the alerts with: install Prometheus.")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as work:
        if os.geteuid() == 0:
            os.chmod(work, 0o777)  # apt downloads as a user of its own
            subprocess.run(["apt-get", "-q", "update"], check=False)
        for package in ("promtool", "prometheus"):  # a package of its own since Debian 13
            subprocess.run(["apt-get", "-q", "download", package], cwd=work, check=False)
            for file in Path(work).glob(f"{package}_*.deb"):
                subprocess.run(["dpkg-deb", "-x", file, work], check=True)
            if (program := Path(work, "usr", "bin", "promtool")).exists():
                os.replace(program, CACHE)
                return
        sys.exit("No promtool to test the alerts with: apt has neither promtool nor prometheus here.")


if __name__ == "__main__":
    install()
    print(find())

"""The versions that a worker reports of itself."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # it is used from a checkout
        return ""


VERSIONS = {"python": platform.python_version(), "arq": _version("arq"), "quarq": _version("quarq")}

"""The file as it must be."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jobs import monitor_app
from jobs.monitor_site.api.openapi import document
from settings import ROOT

PAGE = ROOT / "docs" / "openapi.json"


@cache
def described() -> dict[str, Any]:
    """What the API answers to `openapi.json`."""
    monitor_app("redis://localhost")  # imports every address
    return document()


def page() -> str:
    return json.dumps(described(), ensure_ascii=False, indent=1) + "\n"

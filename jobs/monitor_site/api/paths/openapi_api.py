"""The OpenAPI file."""

from __future__ import annotations

from typing import Any

from ..endpoints import read
from ..openapi import document


@read("/openapi.json")
async def openapi() -> dict[str, Any]:
    """This file."""
    return document()

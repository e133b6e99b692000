"""The OpenAPI file."""

from __future__ import annotations

import asyncio
from typing import Any

from ..endpoints import read
from ..openapi import document


@read("/openapi.json")
async def openapi() -> dict[str, Any]:
    """This file."""
    return await asyncio.to_thread(document)  # the first time it is made

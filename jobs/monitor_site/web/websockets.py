"""Refuse WebSockets. Live pages use server-sent events."""

from __future__ import annotations

from typing import Any

from quart import Quart


def refuse(app: Quart) -> None:
    """Answer every handshake with 403, because the protection of pages handles only requests."""
    app.asgi_websocket_class = _Refusal


class _Refusal:
    def __init__(self, app: Quart, scope: Any) -> None:
        pass

    async def __call__(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})

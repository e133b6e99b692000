"""Somebody with a browser: keeps cookies, sends forms with the token of the page they stand on."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from quart import Quart, Response

from app.accounts.links import sign_in_link
from settings import Settings
from tests.app.marks import Marks

TOKEN = re.compile(r'(?:name="csrf_token" value|data-csrf)="([^"]+)"')


class Visitor:
    """One browser of one person. `text` is the body of the last answer."""

    def __init__(self, app: Quart) -> None:
        self._app = app
        self.client = app.test_client()
        self.text = ""

    @property
    def settings(self) -> Settings:
        """Those of the site."""
        settings: Settings = self._app.extensions["settings"]
        return settings

    async def get(self, path: str, **options: Any) -> Response:
        return await self._read(await self.client.get(path, **options))

    async def post(self, path: str, *, page: str = "", headers: dict[str, str] | None = None, **form: str) -> Response:
        """Open *page* (else *path* itself), fill in its form, send it to *path*."""
        await self.get(page or path)
        form = {"csrf_token": self.token()} | form
        return await self._read(await self.client.post(path, form=form, headers=headers))

    async def sign_in(self, email: str = "alice@example.org", timezone: str = "Europe/Berlin") -> Response:
        link = urlsplit(await sign_in_link(self.settings, email))
        return await self.post(link.path, timezone=timezone)

    @property
    def marks(self) -> Marks:
        """The states, codes and counts of the page they look at."""
        return Marks(self.text)

    def token(self) -> str:
        """The token in the form of the page they look at; empty if it has none."""
        match = TOKEN.search(self.text)
        return unescape(match[1]) if match else ""

    async def _read(self, response: Any) -> Response:
        self.text = await response.get_data(as_text=True)
        return response  # type: ignore[no-any-return]


def words(visitor: Visitor) -> str:
    """What the page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", visitor.text)).split())

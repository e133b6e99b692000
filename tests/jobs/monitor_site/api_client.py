"""A program that asks the API of a monitor. Every answer must be as docs/openapi.json says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import unquote

from quart import Quart
from werkzeug.datastructures import Headers

from jobs import Viewer, monitor_app
from jobs.monitor_site.application import Monitor
from tests.openapi.checking import problem

VIEWERS = {"acting": Viewer("ann", can_act=True), "reading": Viewer("bob")}


@cache
def app_for_tests(redis_url: str) -> Monitor:
    """A monitor whose viewer is named in a header: `Authorization: Bearer acting`. Made once: it takes a while."""

    def viewer(request: Any) -> Viewer | None:
        return VIEWERS.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    return monitor_app(redis_url, viewer=viewer)


class Program:
    """`status` and `headers` are those of the last answer."""

    def __init__(self, app: Quart, token: str = "acting", prefix: str = "") -> None:
        self.client, self.token, self.prefix = app.test_client(), token, prefix
        self.status, self.headers = 0, Headers()

    async def get(self, path: str, **query: Any) -> Any:
        return await self.ask("GET", path, **{"query_string": query} if query else {})

    async def post(self, path: str, **body: Any) -> Any:
        return await self.ask("POST", path, json=body)

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        response = await self.client.open(f"{self.prefix}/api/v1{path}", method=method, headers=headers, **options)
        self.status, self.headers = response.status_code, response.headers
        assert self.headers["Content-Type"] == "application/json"
        assert self.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in self.headers
        answer = json.loads(await response.get_data(as_text=True))
        assert problem(method, unquote(path.partition("?")[0]), self.status, answer) == ""
        return answer

"""The page of a job, and `jobs result --json`, show its headers without secrets, and link to its trace."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from jobs import JobsRedis, monitor_site
from jobs.monitor_site.application import Monitor
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.shop import echo

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tenant": "<b>Äcme & Söhne</b>", "password": "hunter2"}


@pytest.mark.parametrize(
    ("address", "traceparent", "link"),
    [
        ("https://traces.example/{trace_id}?a=1", HEADERS["traceparent"], f"https://traces.example/{TRACE}?a=1"),
        ("", HEADERS["traceparent"], None),
        ("https://traces.example/{trace_id}", "00-" + "../" * 10 + "-x-01", None),
    ],
)
async def test_a_job_s_page_shows_its_headers(
    app: Monitor, connection: JobsRedis, owner: Visitor, address: str, traceparent: str, link: str | None
) -> None:
    app.extensions["options"] = replace(app.extensions["options"], trace_url=address)
    job = await echo.apply_async((1,), headers={**HEADERS, "traceparent": traceparent})

    page = await (await owner.get(f"/monitor/job?id={job.id}")).get_data(as_text=True)

    found = await monitor_site.job(connection, job.id)
    assert found and found.call  # noqa: PT018
    assert found.call.headers == {**HEADERS, "traceparent": traceparent, "password": "***"}
    assert "&lt;b&gt;Äcme &amp; Söhne&lt;/b&gt;" in page
    assert "hunter2" not in page
    assert re.findall(r'href="(https://traces[^"]*)"', page) == ([link] if link else [])

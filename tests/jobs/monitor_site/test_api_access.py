"""Every address of the API: who may ask for it, and from where."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobs import connect, monitor, monitor_app
from jobs.monitor_site.api.endpoints import ENDPOINTS, Endpoint
from tests.jobs.monitor_site.api_client import Program, app_for_tests

monitor_app("redis://localhost")  # fills the table
NAMED = [pytest.param(one, id=f"{one.method} {one.path}") for one in ENDPOINTS]
WRITES = [one for one in ENDPOINTS if one.method == "POST"]


@pytest.fixture
async def program(redis_url: str) -> AsyncIterator[Program]:
    app = app_for_tests(redis_url)
    yield Program(app)
    await app.close()


def path_of(endpoint: Endpoint) -> str:
    return endpoint.path.format(id="none", name="none")


@pytest.mark.parametrize("endpoint", NAMED)
async def test_who_may_ask(program: Program, endpoint: Endpoint, redis_url: str) -> None:
    """None of these things exists: who may ask learns that, with a status that says whose fault it is."""
    statuses = {}
    for token in ("", "reading", "acting"):
        program.token = token
        options = {"json": {}} if endpoint.method == "POST" else {}
        answer = await program.ask(endpoint.method, path_of(endpoint), {"Accept": "application/json"}, **options)
        statuses[token] = program.status
        if program.status >= 400:
            assert answer["error"].keys() == {"code", "message"}
            assert all(answer["error"].values())

    expected = {404} if "{" in endpoint.path else {200}
    if endpoint.method == "POST":
        expected = {200, 400, 404, 409}
    assert statuses[""] == 404
    assert statuses["reading"] in ({403} if endpoint.method == "POST" else expected), answer
    assert statuses["acting"] in expected, answer


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "not-json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "not-json"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "not-json"),
        ({}, 415, "not-json"),
        ({"Content-Type": "application/json", "Origin": "https://evil.example"}, 403, "other-site"),
        ({"Content-Type": "application/json", "Origin": "null"}, 403, "other-site"),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403, "other-site"),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, 403, "other-site"),
        ({"Content-Type": "application/json", "Origin": "http://localhost"}, 200, "paused"),
        ({"Content-Type": "application/json; charset=utf-8"}, 200, "paused-already"),
    ],
)
async def test_no_page_of_another_site_can_act(
    program: Program, headers: dict[str, str], status: int, code: str, redis_url: str
) -> None:
    async with connect(redis_url) as redis:
        if code == "paused-already":
            await monitor.pause(redis, "mail")
        for endpoint in WRITES if status >= 400 else ():
            answer = await program.ask("POST", path_of(endpoint), headers, data="{}")
            assert (program.status, answer["error"]["code"]) == (status, code), endpoint.path
        answer = await program.ask("POST", "/queues/mail/pause", headers, data="{}")

        assert program.status == status
        assert answer.get("code", answer.get("error", {}).get("code")) == code
        audited = [row.what for row in (await monitor.audit(redis)).rows]
        assert audited == (["pause queue"] if status == 200 else [])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ("5", "no JSON object"),
        ('{"now": true}', "no such parameter"),
        ("[" * 100_000, "nested too deep"),
        ("\xff", "no JSON"),
        ('{"when": 5}', "5 is not a text"),
        ('{"when": null}', "None is not a text"),
        ('{"when": "%s"}' % ("x" * 101), "at most 100"),
        ('{"when": "a\\u0000"}', "NUL"),
        ('{"when": "\\ud800"}', "half of a surrogate pair"),
        ('{"when": "soon"}', "not a date and time"),
        ('{"when": "1900-01-01"}', "out of range"),
        ("{}", "when: it is missing"),
    ],
)
async def test_a_wrong_body_is_refused_in_words(program: Program, body: str, words: str) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await program.ask("POST", "/jobs/none/reschedule", headers, data=body.encode("latin-1"))

    assert program.status == 400
    assert words in answer["error"]["message"]


async def test_a_body_has_a_limit(program: Program) -> None:
    answer = await program.ask(
        "POST", "/queues/x/pause", {"Content-Type": "application/json"}, data=b" " * (256 * 1024 + 1)
    )

    assert (program.status, answer["error"]["code"]) == (413, "too-large")


async def test_another_method_is_refused(program: Program) -> None:
    for method, path in (("DELETE", "/jobs/x"), ("POST", "/jobs"), ("PUT", "/queues/x/pause")):
        answer = await program.ask(method, path)
        assert (program.status, answer["error"]["code"]) == (405, "method-not-allowed"), path

"""Each event that matters for security is one JSON line with the account's number, and nothing that names a person."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from quart import Quart

from app import create_app, logs
from app.accounts.links import sign_in_link
from app.security_log import EVENTS
from jobs import JsonLines
from settings import ROOT, Settings
from tests.app.routes import furnish, token_for
from tests.app.visitor import Visitor

METRICS_TOKEN = "only for this test"
Cause = Callable[[Quart, Visitor], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, metrics_token=METRICS_TOKEN)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The events since the last call, as they are written."""
    caplog.set_level(logging.INFO, logger="app.security_log")

    def read() -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == "app.security_log"]
        caplog.clear()
        written = [JsonLines().format(record) for record in records]
        assert not [line for line in written if "\n" in line]
        return [json.loads(line) for line in written]

    return read


async def ask_for_link(app: Quart, person: Visitor) -> None:
    await Visitor(app).post("/sign-in", email="alice@example.org")


async def be_new(app: Quart, person: Visitor) -> None:
    await Visitor(app).sign_in("new@example.org")


async def sign_in(app: Quart, person: Visitor) -> None:
    await Visitor(app).sign_in("alice@example.org")


async def sign_out(app: Quart, person: Visitor) -> None:
    await person.post("/sign-out", page="/account")


async def sign_out_everywhere(app: Quart, person: Visitor) -> None:
    await person.post("/sign-out-everywhere", page="/account")


async def use_an_old_cookie(app: Quart, person: Visitor) -> None:
    [cookie] = [cookie for cookie in person.client.cookie_jar or () if cookie.name == "session"]
    await person.post("/sign-out", page="/account")
    thief = app.test_client(use_cookies=False)
    await thief.get("/account", headers={"Cookie": f"session={cookie.value}"})


async def use_a_link_twice(app: Quart, person: Visitor) -> None:
    path = urlsplit(await sign_in_link(person.settings, "alice@example.org")).path
    await Visitor(app).post(path)
    await Visitor(app).get(path)


async def see_the_owner_s(app: Quart, person: Visitor) -> None:
    await person.get("/subscribers?q=bob@example.org")


async def guess_the_metrics_token(app: Quart, person: Visitor) -> None:
    await app.test_client().get("/metrics", headers={"Authorization": "Bearer guessed"})


async def forge_a_form(app: Quart, person: Visitor) -> None:
    await person.client.post("/account", form={"timezone": "UTC", "csrf_token": "guessed"})


async def send_from_elsewhere(app: Quart, person: Visitor) -> None:
    await person.get("/account")
    form = {"timezone": "UTC", "csrf_token": person.token()}
    await person.client.post("/account", form=form, headers={"Origin": "https://evil.example"})


async def name_another_host(app: Quart, person: Visitor) -> None:
    await app.test_client().get("/sign-in/guessed", headers={"Host": "evil.example"})


async def look_into_the_inbox(app: Quart, person: Visitor) -> None:
    await person.get("/inbox/?key=guessed")


async def ask_too_often(app: Quart, person: Visitor) -> None:
    for _ in range(2):
        await Visitor(app).post("/sign-in", email="alice@example.org")


async def export(app: Quart, person: Visitor) -> None:
    await person.post("/account/export", page="/account/data")


async def mean_another_account(app: Quart, person: Visitor) -> None:
    await person.post("/account/delete", page="/account/data", email="bob@example.org")


async def delete(app: Quart, person: Visitor) -> None:
    await person.post("/account/delete", page="/account/data", email="alice@example.org")


async def act_as_owner(app: Quart, person: Visitor) -> None:
    owner = Visitor(app)
    await owner.sign_in(person.settings.owner_email)
    await owner.post("/posts/new", title="News of bob@example.org", text="Words", do="draft")


# Who causes each event, whose account is named (1 is Alice's, 2 the next one), and by which lines it is followed.
CAUSES: list[tuple[str, Cause, int | None]] = [
    ("sign_in_link_asked", ask_for_link, 1),
    ("account_created", be_new, 2),
    ("sign_in", sign_in, 1),
    ("sign_out", sign_out, 1),
    ("sign_out_everywhere", sign_out_everywhere, 1),
    ("session_refused", use_an_old_cookie, None),
    ("link_refused", use_a_link_twice, None),
    ("access_refused", see_the_owner_s, 1),
    ("access_refused", guess_the_metrics_token, None),
    ("csrf_refused", forge_a_form, 1),
    ("csrf_refused", send_from_elsewhere, 1),
    ("host_refused", name_another_host, None),
    ("inbox_refused", look_into_the_inbox, None),
    ("limit_refused", ask_too_often, None),
    ("data_exported", export, 1),
    ("deletion_refused", mean_another_account, 1),
    ("account_deleted", delete, 1),
    ("owner_action", act_as_owner, 2),
]


@pytest.mark.parametrize(("event", "cause", "account"), CAUSES, ids=lambda value: getattr(value, "__name__", ""))
async def test_each_event_is_one_line(
    app: Quart, alice: Visitor, lines: Callable[[], list[dict[str, Any]]], event: str, cause: Cause, account: int | None
) -> None:
    lines()
    await cause(app, alice)
    written = lines()

    [line] = [line for line in written if line["event"] == event]
    assert line["account"] == account
    assert line["level"] == logging.getLevelName(EVENTS[event][0])
    assert line.keys() >= {"time", "method", "rule", "client"}
    everything = json.dumps(written)
    for personal in ("@", "alice", "bob", "guessed", "evil", "local", "127.0.0.1", "News", "Words"):
        assert personal not in everything.replace('"logger": "app.security_log"', "")
    assert not re.search(r"[\w-]{40}", everything), "no token"


def test_every_event_of_the_table_has_a_cause_and_code_that_writes_it() -> None:
    assert {event for event, _, _ in CAUSES} == EVENTS.keys()
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    used = set(re.findall(r'security_log\.note\(\s*"(\w+)"', code))
    assert used <= EVENTS.keys()
    text = (ROOT / "docs" / "deploy.md").read_text()
    for event, (_, meaning) in EVENTS.items():
        assert f"| `{event}` | {meaning} |" in text


async def test_whatever_is_refused_on_any_route_is_one_line(
    app: Quart, alice: Visitor, charlie: Visitor, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """Of every 401, 403 and 429, and of every link that is none; and none of what is no refusal."""
    routes = [route for route in await furnish(app) if not route.signs]
    await charlie.get("/account")

    for route in routes:
        for headers in ({"X-CSRF-Token": charlie.token()}, {}):
            lines()
            response = await charlie.client.open(route.path, method=route.method, headers=headers)
            written = [line["event"] for line in lines()]
            refused = response.status_code in (401, 403, 410, 429) or route.access == "inbox"
            if refused:
                assert len(written) == 1, (route, written)
                assert written[0].endswith("_refused"), (route, written)
            else:
                assert not [event for event in written if event.endswith("_refused") and event[:4] != "dele"], route


async def test_every_change_of_the_owner_s_is_one_line(
    app: Quart, alice: Visitor, owner: Visitor, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    await owner.get("/account")
    for route in await furnish(app):
        if route.access == "owner":
            token = await token_for(owner, route)
            lines()
            response = await owner.client.open(route.path, method=route.method, headers={"X-CSRF-Token": token})
            done = route.method == "POST" and response.status_code < 400
            assert [(line["event"], line["account"]) for line in lines()] == [("owner_action", 2)] * done, route


async def test_a_link_that_is_none_is_noted_on_every_page_that_takes_one(
    app: Quart, visitor: Visitor, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if {"token", "link"} & rule.arguments]
    assert len(rules) >= 8
    for rule in rules:
        lines()
        _, path = rule.build({"pk": 1, "number": 1, "token": "guessed"})  # type: ignore[misc]
        await visitor.get("/sign-in")
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        form = {"csrf_token": visitor.token(), "answer": "agree", "do": "done"} if method == "POST" else None
        await visitor.client.open(path, method=method, form=form)
        [line] = lines()
        assert (line["event"], line["account"]) == ("link_refused", None)
        assert "guessed" not in json.dumps(line)


@pytest.mark.parametrize("form", ["text", "json"])
def test_events_are_json_lines_whatever_the_form_and_level_of_the_log(
    capfd: pytest.CaptureFixture[str], form: str
) -> None:
    root, security = logging.getLogger(), logging.getLogger("app.security_log")
    before = root.handlers[:], root.level, security.handlers[:], security.level
    try:
        logs.configure("ERROR", form)
        security.info("security: sign_in", extra={"event": "sign_in", "account": 7})
        [line] = capfd.readouterr().err.splitlines()
    finally:
        root.handlers, root.level, security.handlers, security.level = before
        security.propagate = True
    assert (json.loads(line)["event"], json.loads(line)["account"]) == ("sign_in", 7)


def test_every_app_writes_them(settings: Settings) -> None:
    assert "note_answer" in {hook.__name__ for hook in create_app(settings).after_request_funcs[None]}

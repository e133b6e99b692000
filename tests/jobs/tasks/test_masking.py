"""Secrets: which names hide what, in every form that arguments take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs import task
from jobs.tasks.current import Request
from jobs.tasks.masking import call_text, masked
from jobs.tasks.secret_names import is_secret
from tests.registered_tasks import forget


@pytest.fixture(autouse=True)
def create_user() -> Iterator[Any]:
    @task(name="masks.create_user", bind=True)
    async def create_user(self: Any, name: str, password: str, *tokens: str, api_key: str = "") -> None: ...

    yield create_user
    forget(create_user.name)


@pytest.mark.parametrize(
    "name",
    ["password", "passwd", "user_password", "token", "accessToken", "secret", "CLIENT_SECRET", "key", "api_key",
     "apiKey", "apikey", "authorization", "Authorization", "auth", "credentials", "cookie", "passphrase", "pin"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["name", "keyboard", "monkey", "author", "passenger", "compass", "pinned", "x"])
def test_other_names(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("args", "kwargs", "shown"),
    [
        (("John Doe", "pw"), {}, "'John Doe', password='***'"),
        (("John Doe",), {"password": "pw"}, "'John Doe', password='***'"),
        (("John Doe", "pw", "t1", "t2"), {}, "'John Doe', password='***', tokens='***', tokens='***'"),
        (("John Doe", None), {"api_key": "k"}, "'John Doe', password='***', api_key='***'"),
        (({"password": "pw", "x": [{"token": 1}]},), {}, "{'password': '***', 'x': [{'token': '***'}]}"),
    ],
)
def test_a_call_is_shown_without_its_secrets(args: Any, kwargs: Any, shown: str) -> None:
    assert call_text(*masked("masks.create_user", args, kwargs), 200) == shown


def test_what_an_error_callback_is_told_hides_them_too() -> None:
    request = Request("1", "masks.create_user", ("John Doe", "pw"), {"api_key": "k"})

    shown = call_text(*masked("masks.told", (request, ValueError("no")), {}), 1000)

    assert "'pw'" not in shown
    assert "'k'" not in shown
    assert "John Doe" in shown


def test_so_do_maps(create_user: Any) -> None:
    starmap = create_user.starmap([("John", "pw1"), ("Jane", "pw2")])
    plain_map = create_user.s("pw3", api_key="k").map(["John", "Jane"])

    for call in (starmap, plain_map):
        shown = call_text(*masked(call.task, call.args, call.kwargs), 1000)
        assert "pw" not in shown
        assert "'k'" not in shown
        assert "John" in shown
        assert "Jane" in shown


def test_a_line_is_cut_on_characters() -> None:
    assert call_text(["提醒" * 50], {}, 10) == "'提醒提醒提醒提醒…"

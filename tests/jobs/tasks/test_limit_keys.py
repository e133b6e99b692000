"""Limits by key as they are declared, and the keys of calls."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import Limit, task
from jobs.errors import SettingsMistake, WrongValue
from jobs.tasks import limits
from jobs.tasks.registry import limit_keys


class Plan(Enum):
    FREE = "free"


@task(
    name="keys.sync",
    max_concurrency=[50, Limit(2, per="tenant_id")],
    rate_limit=["100/s", Limit("10/m", per=("tenant_id", "region"))],
)
async def sync(tenant_id: Any, region: str = "eu", *, token: str = "") -> None: ...


@task(name="keys.one", max_concurrency=Limit(1, per="token"))
def one(token: str) -> None: ...


def test_what_is_declared_is_stored_narrow_keys_first() -> None:
    stored = msgpack.unpackb(limits.packed(sync.options.rate_limit, sync.options.max_concurrency))

    assert stored == [["region&tenant_id", "10 60000", ""], ["tenant_id", "", "2"]]
    assert limits.own_limit(sync.options.rate_limit) == "100/s"
    assert limits.own_limit(sync.options.max_concurrency) == 50
    assert limits.own_limit(one.options.max_concurrency) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("7", "7"),
        (None, "None"),
        (True, "True"),
        (Plan.FREE, "free"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 12, 24), "2026-12-24"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("a b|c&d=e,f#g", "a%20b%7Cc%26d%3De%2Cf%23g"),
        ("ü", "%C3%BC"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_a_value_in_a_key(value: Any, text: str) -> None:
    assert limits.value_text("tenant_id", value) == text


@pytest.mark.parametrize("value", ["x" * 65, 10**4999, "\n" * 30, -(10**400)], ids=["text", "huge", "quoted", "low"])
def test_a_long_value_has_a_digest(value: Any) -> None:
    text = limits.value_text("tenant_id", value)

    assert text.startswith("#")
    assert len(text) == 33


def test_the_value_of_a_secret_is_nowhere_in_a_key() -> None:
    assert "hunter2" not in limit_keys(one, ("hunter2",), {})
    assert limit_keys(one, ("hunter2",), {}) != limit_keys(one, ("hunter3",), {})
    with pytest.raises(WrongValue, match=r"^token='?\*\*\*'?: give text"):
        limit_keys(one, (["hunter2"],), {})


@pytest.mark.parametrize("value", [1.5, [7], {"a": 1}, b"7", object()])
async def test_a_value_that_no_key_can_have_is_refused_at_the_call(value: Any) -> None:
    with pytest.raises(WrongValue, match=r"tenant_id=.*: give text, a whole number"):
        limit_keys(sync, (value,), {})


def test_keys_are_the_same_however_the_arguments_are_given() -> None:
    keys = "region=eu&tenant_id=7|tenant_id=7"

    assert limit_keys(sync, (7,), {}) == limit_keys(sync, (7, "eu"), {}) == keys
    assert limit_keys(sync, (), {"region": "eu", "tenant_id": "7"}) == keys


values = st.one_of(st.text(), st.integers(), st.none(), st.uuids())


@given(st.tuples(values, values), st.tuples(values, values))
def test_two_jobs_share_a_key_if_and_only_if_they_share_the_values(first: Any, second: Any) -> None:
    keys = [limits.key_of(("a", "b"), {"a": one[0], "b": one[1]}) for one in (first, second)]

    assert (keys[0] == keys[1]) is (list(map(str, first)) == list(map(str, second)))
    assert all(len(key) <= 140 and key.isascii() and key.isprintable() and "|" not in key for key in keys)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_concurrency": Limit(2, per="tenant")}, r"a limit is per 'tenant', .* did you mean 'tenant_id'\?"),
        ({"max_concurrency": Limit(2, per="rest")}, "a limit is per 'rest'"),
        ({"rate_limit": Limit("often", per="tenant_id")}, "rate_limit='often'"),
        ({"max_concurrency": Limit(0, per="tenant_id")}, "max_concurrency=0"),
        ({"max_concurrency": [2, 3]}, "a plain value, or a list"),
        ({"max_concurrency": [5]}, "a plain value, or a list"),
        ({"max_concurrency": []}, "a plain value, or a list"),
        ({"max_concurrency": [Limit(2, per="tenant_id"), Limit(3, per=["tenant_id"])]}, "a plain value, or a list"),
    ],
)
def test_a_wrong_declaration_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsMistake, match=why):

        @task(name="keys.wrong", **options)
        async def wrong(tenant_id: int, *rest: int) -> None: ...


@pytest.mark.parametrize("per", ["", [], ("a", "a"), "a b", [5], "a|b"])
def test_a_limit_is_per_names_of_parameters(per: Any) -> None:
    with pytest.raises(SettingsMistake, match=r"^Limit: per"):
        Limit(2, per=per)

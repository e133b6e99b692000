"""Arguments edited as JSON: what is not touched stays as it was stored, and nothing hidden is shown or lost."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from jobs import encoding
from jobs.errors import EncodingError, WrongValue
from jobs.monitor_site.edited_arguments import as_json, merged, read
from jobs.tasks.masking import without_secrets
from tests.jobs.example_values import released

SECRET = "s3cr3t-41"
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
plain = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


def edit(stored: Any, typed: str) -> Any:
    return merged("x", stored, without_secrets(stored), read("x", typed))


@settings(max_examples=40)
@given(released)
def test_what_is_left_as_it_was_shown_is_stored_again_byte_by_byte(stored: Any) -> None:
    try:
        packed = encoding.dumps(stored)
    except EncodingError:  # nested too deep to be an argument
        reject()
    shown = as_json(without_secrets(stored))

    assert shown.encode()
    assert encoding.dumps(edit(stored, shown)) == packed
    respelled = json.dumps(json.loads(shown), sort_keys=True, separators=(",", ":")).replace("\n", "\r\n")
    assert encoding.dumps(edit(stored, respelled)) == packed


@settings(max_examples=40)
@given(plain, plain)
def test_what_is_written_instead_is_what_is_stored(stored: Any, other: Any) -> None:
    if "***" in json.dumps(other) or "…" in json.dumps(other, ensure_ascii=False):
        return
    written = json.dumps(other)

    assert json.dumps(edit(stored, written), sort_keys=True) == json.dumps(other, sort_keys=True)
    assert json.dumps(edit((1, b"x"), written), sort_keys=True) == json.dumps(other, sort_keys=True)


@settings(max_examples=40)
@given(plain, st.dictionaries(st.text(), plain, max_size=3))
def test_a_secret_is_never_shown_and_stays_where_the_rest_is_edited(value: Any, more: dict[str, Any]) -> None:
    hiding = {"user": {"password": SECRET, "name": value}, "api_key": [SECRET], "at": b"\x00"}
    shown = as_json(without_secrets(hiding))
    assert SECRET not in shown

    typed = json.loads(shown)
    typed["user"]["name"] = "somebody"
    added = {f"more {name}": None for name in more}
    result = edit(hiding, json.dumps(typed | added))

    assert result == {**hiding, "user": {"password": SECRET, "name": "somebody"}, **added}


LIST = [{"user": "a", "password": "pa"}, {"user": "b", "password": "pb"}]


@pytest.mark.parametrize(
    "typed",
    [
        '[{"user": "b", "password": "***"}, {"user": "a", "password": "***"}]',
        '[{"user": "b", "password": "***"}]',
        '[{"user": "c", "password": "***"}, {"user": "b", "password": "***"}]',
        '{"password": "***"}',
        '["***"]',
        '"***"',
        '[{"user": "a", "password": {"x": ["***"]}}, {"user": "b", "password": "***"}]',
    ],
)
def test_a_hidden_value_never_goes_to_another_place(typed: str) -> None:
    before = copy.deepcopy(LIST)

    with pytest.raises(WrongValue, match=r"x.*\*\*\* stands for a value that is not shown"):
        edit(LIST, typed)
    assert before == LIST


def test_in_a_list_what_is_not_edited_keeps_what_it_hides() -> None:
    typed = '[{"user": "a", "password": "***"}, {"user": "b", "password": "new"}]'

    assert edit(LIST, typed) == [{"user": "a", "password": "pa"}, {"user": "b", "password": "new"}]
    assert edit((1, b"x", (2, 3)), "[5, \"b'x'\", [2, 4]]") == (5, b"x", (2, 4))
    assert type(edit([True], "[1]")[0]) is int


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "line 1, column 1"),
        ('{"a": 1,\n "b": }', "line 2, column 7"),
        ("{'a': 1}", "line 1, column 2"),
        ("NaN", "NaN is no JSON number"),
        ("1e999", "1e999 is no JSON number"),
        ("9" * 5_000, "no JSON"),
        ("[" * 50_000, "nested too deep"),
        ('"' + "x" * 100_000 + '"', "at most 100,000"),
    ],
    ids=range(8),
)
def test_what_is_no_json_is_answered_with_its_place(typed: str, says: str) -> None:
    with pytest.raises(WrongValue, match=says) as raised:
        read("amount", typed)

    assert str(raised.value).startswith("amount: ")
    assert len(str(raised.value)) < 300

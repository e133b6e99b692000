"""What failures are grouped by: what differs from one to the next is left out of a message, and nothing else is."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contrib.failures import PART_CHARS, parts_of, pattern_of

NUMBERS = (
    st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(str)
    | st.integers().map("{:,}".format)
)
QUOTED = st.text().map(repr) | st.binary().map(repr) | st.from_regex(r"[\w' ]*\w", fullmatch=True).map("“{}”".format)
IDS = st.uuids().map(str) | st.uuids().map(lambda one: one.hex) | st.integers(0, 2**64).map("0x{:012x}".format)
ADDRESSES = st.sampled_from(["ann@example.org", "redis://db.example.org/0", "10.0.0.1:6379", "vm-4:6379"])
WHEN = st.datetimes().map(str) | st.dates().map(str) | st.times().map(str)
LISTS = st.lists(st.integers() | st.text(), min_size=1).map(str)
DICTS = st.dictionaries(st.text(), st.integers(), min_size=1).map(str)
PARTICULAR = NUMBERS | QUOTED | IDS | ADDRESSES | WHEN
WORDS = st.lists(st.from_regex(r"[a-z]+[.,;]?", fullmatch=True).filter(lambda word: len(word) < 8), max_size=5).map(
    " ".join
)


@given(WORDS, WORDS, st.data())
@pytest.mark.parametrize("particular", [PARTICULAR, LISTS, DICTS], ids=["one", "lists", "dicts"])
def test_messages_that_differ_in_what_is_particular_have_one_pattern(
    particular: Any, before: str, after: str, data: st.DataObject
) -> None:
    first, second = (f"{before} {data.draw(particular)} {after}" for _ in range(2))

    assert pattern_of(first) == pattern_of(second)


@given(WORDS, WORDS)
def test_messages_of_other_words_have_another(first: str, second: str) -> None:
    assert (pattern_of(f"{first} 4") == pattern_of(f"{second} 5")) == (first.split() == second.split())


@given(st.text(max_size=10_000))
def test_a_pattern_is_short_and_on_one_line(message: str) -> None:
    pattern = pattern_of(message)

    assert len(pattern) <= PART_CHARS
    assert "\n" not in pattern


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("user 'O'Brien' is missing", "user … is missing"),
        ("can't find 'x', the users' file isn't there", "can't find …, the users' file isn't there"),
        ("took 3.5 s for 1,234 items: -4 of 10", "took … s for … items: … of …"),
        ("[Errno 2] No such file: b'/tmp/a'", "[Errno …] No such file: …"),
        ("<Order object at 0x7fa53be6e630>", "<Order object at …>"),
        ("cannot connect to redis://10.0.0.1:6379/0.", "cannot connect to …"),
        ("key=4711, name=x (see https://e.org/?q=1)", "key=…, name=x (see …)"),
        ("'a' 'b', \"c\" and `d`", "… and …"),
        ("cut in 'the midd", "cut in …"),
        ("deadbeef is a face", "… is a face"),
        ("", ""),
    ],
)
def test_examples(message: str, pattern: str) -> None:
    assert pattern_of(message) == pattern


def raised_in(tmp_path: Path, *names: str) -> BaseException:
    """An error that was raised in the last of these files, which call each other."""
    scope: dict[str, Any] = {}
    for file, below in zip(names, [*names[1:], None], strict=True):
        function = f"in_{Path(file).stem}"
        body = f"in_{Path(below).stem}()" if below else "raise ValueError('no luck')"
        exec(compile(f"def {function}(): {body}", tmp_path / file, "exec"), scope)
    try:
        scope[f"in_{Path(names[0]).stem}"]()
    except ValueError as error:
        traces = error.__traceback__
        return error.with_traceback(traces and traces.tb_next)  # without this function
    raise AssertionError


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (["shop/cards.py"], "shop/cards.py in in_cards"),
        (["shop/cards.py", "venv/site-packages/stripe/client.py"], "shop/cards.py in in_cards"),
        (["shop/cards.py", "venv/site-packages/stripe/client.py", "shop/hooks.py"], "shop/hooks.py in in_hooks"),
        (["venv/site-packages/shop/cards.py", "venv/dist-packages/stripe/client.py"], "shop/cards.py in in_cards"),
        (["venv/site-packages/arq/worker.py"], ""),
    ],
    ids=str,
)
def test_the_place_is_the_last_frame_of_the_application(tmp_path: Path, files: list[str], place: str) -> None:
    error = raised_in(tmp_path, *files)

    assert parts_of(error, "") == ("ValueError", place, "no luck")
    assert parts_of(ValueError("no luck"), "".join(traceback.format_exception(error))) == (
        "ValueError",
        place,
        "no luck",
    )


@pytest.mark.parametrize("line", ["", "\n\n\n"])
def test_an_edit_elsewhere_in_the_file_changes_no_place(tmp_path: Path, line: str) -> None:
    scope: dict[str, Any] = {}
    exec(compile(f"{line}def charge(): raise ValueError", tmp_path / "shop/cards.py", "exec"), scope)

    with pytest.raises(ValueError) as raised:  # noqa: PT011  # it has no text
        scope["charge"]()

    assert parts_of(raised.value, "")[1] == "shop/cards.py in charge"

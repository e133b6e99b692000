"""A traceback in parts: own frames, frames of libraries, errors; of any text, nothing that it says is lost."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.monitor_site.tracebacks import MOST_PARTS, parts_of

PACKAGED = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/arq/worker.py", line 3, in run_job
    await function()
  File "/venv/lib/python3.11/site-packages/shop/cards.py", line 14, in charge
    client.post(1)
    ~~~~~~~~~~~^^^
  File "/venv/lib/python3.11/site-packages/stripe/client.py", line 9999999999999, in post
ValueError: no luck
"""


def own() -> None:
    json.loads("{")


def caused() -> None:
    try:
        own()
    except ValueError as error:
        raise KeyError("x") from error


async def grouped() -> None:
    async with asyncio.TaskGroup() as inner:
        inner.create_task(asyncio.to_thread(own))


def text_of(function: Callable[[], Any]) -> str:
    try:
        function()
    except Exception as error:
        return "".join(traceback.format_exception(error.with_traceback(error.__traceback__.tb_next)))  # type: ignore[union-attr]
    raise AssertionError


def outline(text: str) -> list[Any]:
    """Functions of own frames, the number of the others, and the first word of texts."""
    return [
        [frame.function for frame in part.frames] if part.is_own else len(part.frames) or part.text.split()[0]
        for part in parts_of(text)
    ]


NOT_JSON = "json.decoder.JSONDecodeError:"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (text_of(own), [["own"], 3, NOT_JSON]),
        (text_of(caused), [["caused", "own"], 3, NOT_JSON, "The", ["caused"], "KeyError:"]),
        (
            text_of(lambda: asyncio.run(grouped())),
            [["<lambda>"], 3, ["grouped"], 1, "ExceptionGroup:", "1", 2, ["own"], 3, NOT_JSON],
        ),
        (PACKAGED, [1, ["charge"], 1, "ValueError:"]),
        ("its worker died or lost its lease", ["its"]),
        ("", []),
    ],
    ids=["plain", "caused", "grouped", "packaged", "reason", "empty"],
)
def test_it_is_taken_apart(text: str, expected: list[Any]) -> None:
    assert outline(text) == expected


def test_a_frame_has_its_line_and_source() -> None:
    [_, part, *_] = parts_of(PACKAGED)

    [frame] = part.frames
    assert (frame.file.rpartition("/")[2], frame.line, frame.source) == ("cards.py", 14, "client.post(1)")


LINES = st.sampled_from(PACKAGED.splitlines()) | st.text(max_size=50)


@given(st.lists(LINES, max_size=30).map("\n".join))
def test_no_text_is_lost_or_breaks_it(text: str) -> None:
    parts = parts_of(text)

    shown = "".join(part.text + "".join(f"{frame.file}{frame.source}" for frame in part.frames) for part in parts)
    for line in text.splitlines():
        word = line.strip(" -+|^~\n")
        if word and not line.startswith(("  File", "    ", "Traceback")):
            assert not word.split() or word.split()[-1] in shown
    assert len(parts) <= MOST_PARTS

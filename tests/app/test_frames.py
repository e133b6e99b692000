"""How high the frame of a mail is. Strangers write the mails, so none may take long to measure."""

from __future__ import annotations

import time

import pytest

from app.security import frames

LONG = 100_000


@pytest.mark.parametrize(
    "part",
    ["<b>x", "<p>x</p>", "<b>x</i>", "</b>", "<", "&", "<a ", "<!--", "<style>", '<b a="', '<p style="a:b">x', "x\n"],
)
def test_a_mail_of_many_equal_parts_is_measured_soon(part: str) -> None:
    within_two_seconds(part * (LONG // len(part)))


@pytest.mark.parametrize("style", ["a", "-", "a:", "margin:1 ", ";", "1"])
def test_a_long_style_is_measured_soon(style: str) -> None:
    within_two_seconds(f'<p style="{style * (LONG // len(style))}">x')


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<p style='font-size:20px'><b>one</b></p>two", 2),
        ("<head><p>hidden</p></head>one<style>p{}</style>", 1),
        ("<div style='display:none'><p>one</p>two</div>three", 1),
        ("<div style='white-space:pre-wrap'><b>one\ntwo</b></div>", 2),
        ("<p>one</b></p><p>two", 2),
    ],
)
def test_lines_are_counted_with_the_style_of_all_that_is_open(html: str, lines: int) -> None:
    assert frames.height(f"<div style='line-height:100px'>{html}", frames.WIDE) == max(100 * lines, frames.LOWEST)


def within_two_seconds(html: str) -> None:
    began = time.process_time()
    frames.height(html, frames.WIDE)
    assert time.process_time() - began < 2

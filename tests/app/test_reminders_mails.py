"""What a reminder's mail says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail import compose
from app.mail.message import to_bytes
from app.reminders.mails import subject


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Water the plants", ": Water the plants"),
        ("\n\n  Water\tthe plants  \nand the dog", ": Water the plants"),
        ("给植物浇水", ": 给植物浇水"),
        (" \n\t", ""),
        ("=?utf-8?q?x?=", ": = ?utf-8?q?x?="),
        ("a\u2028Bcc: b", ": a"),
        ("in \u202egnorw\u2069 order", ": in gnorw order"),
        ("👩‍👩‍👧 home", ": 👩‍👩‍👧 home"),
        ("word " * 40, ": " + "word " * 14 + "…"),
        ("x" * 500, ": " + "x" * 70 + " …"),
    ],
)
def test_the_subject_has_the_first_line(text: str, line: str) -> None:
    assert subject("Your reminder", text) == f"Your reminder{line}"


@given(st.text())
def test_any_text_makes_a_subject_that_can_be_sent(text: str) -> None:
    mail = compose(sender="a@example.org", to="b@example.org", subject=subject("Your reminder", text), text="x")

    assert to_bytes(mail).count(b"\r\nSubject: Your reminder") + to_bytes(mail).count(b"\r\nSubject: =?utf-8") == 1

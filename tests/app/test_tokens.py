"""Tokens in mailed links: long, and good for one purpose of one row."""

from __future__ import annotations

import re

import pytest

from app import tokens

KEY = "only for tests, 32 characters"


def test_a_token_fits_its_purpose_and_nonce() -> None:
    token = tokens.derive(KEY, "unsubscribe", "nonce")

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert tokens.fits(token, KEY, "unsubscribe", "nonce")
    assert token == tokens.derive(KEY, "unsubscribe", "nonce")


@pytest.mark.parametrize(
    ("key", "purpose", "nonce"),
    [(KEY + "x", "unsubscribe", "nonce"), (KEY, "confirm", "nonce"), (KEY, "unsubscribe", "nonce2")],
)
def test_a_token_of_another_key_purpose_or_row_does_not_fit(key: str, purpose: str, nonce: str) -> None:
    assert not tokens.fits(tokens.derive(key, purpose, nonce), KEY, "unsubscribe", "nonce")


def test_no_part_of_a_token_fits() -> None:
    token = tokens.derive(KEY, "unsubscribe", "nonce")

    for wrong in ("", token[:-1], token[:22], token + "=", token + token, token.swapcase(), "é" * 43):
        assert not tokens.fits(wrong, KEY, "unsubscribe", "nonce")

"""Which addresses are taken, and how they are stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addresses import AddressError, parse_address, readable


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("alice@example.org", "alice@example.org"),
        ("  alice@example.org ", "alice@example.org"),
        ("Alice.B+plants@EXAMPLE.org", "alice.b+plants@example.org"),
        ("o'hara@example.org", "o'hara@example.org"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@faß.example", "alice@xn--fa-hia.example"),
        ("alice@例え.jp", "alice@xn--r8jz45g.jp"),
        ("alice@مثال.example", "alice@xn--mgbh0fb.example"),
        ("alice@例え。jp", "alice@xn--r8jz45g.jp"),
        ("alice@xn--bcher-kva.example", "alice@xn--bcher-kva.example"),
    ],
)
def test_it_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert parse_address(typed) == stored
    assert parse_address(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "alice",
        "@example.org",
        "alice@",
        "a@example.org, b@example.org",
        "a@example.org,b@example.org",
        "a@example.org;b@example.org",
        "<a@example.org>,b@example.org",
        "Alice <alice@example.org>",
        "alice @example.org",
        "alice@example.org\r\nBcc: b@example.org",
        "alice@example.org\nX",
        "alice\x00@example.org",
        '"x\r\n"@example.org',
        '"alice"@example.org',
        "älice@example.org",
        "阿丽@example.org",
        "alice@[127.0.0.1]",
        "alice@127.0.0.1",
        "alice@example",
        "alice@example..org",
        "alice@-example.org",
        "alice@exam_ple.org",
        "alice@example.org.",
        "=?utf-8?q?x=0ABcc:?=@example.org",
        ".alice@example.org",
        "al..ice@example.org",
        "a" * 65 + "@example.org",
        "alice@" + "x" * 60 + ".example" * 30,
    ],
    ids=ascii,
)
def test_anything_else_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(typed)

    assert str(caught.value).endswith(".")


def test_people_see_their_own_letters() -> None:
    assert readable("alice@xn--bcher-kva.example") == "alice@bücher.example"
    assert readable("owner@localhost") == "owner@localhost"


@given(st.text(), st.text())
def test_what_is_taken_is_safe_in_a_header_and_a_command(local: str, domain: str) -> None:
    try:
        address = parse_address(f"{local}@{domain}")
    except AddressError:
        return

    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' ,;:<>()[]"\\')
    assert address.count("@") == 1
    assert parse_address(address) == address

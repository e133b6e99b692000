"""Which addresses are taken, and how they are stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail import address
from app.mail.address import AddressRefused, parse, shown


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("alice@example.org", "alice@example.org"),
        ("  alice@example.org ", "alice@example.org"),
        ("Alice.B+plants@EXAMPLE.org", "Alice.B+plants@example.org"),
        ("o'hara@example.org", "o'hara@example.org"),
        ("owner@localhost", "owner@localhost"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@faß.example", "alice@xn--fa-hia.example"),
        ("alice@例え.jp", "alice@xn--r8jz45g.jp"),
        ("alice@مثال.example", "alice@xn--mgbh0fb.example"),
        ("alice@例え。jp", "alice@xn--r8jz45g.jp"),
        ("alice@xn--bcher-kva.example", "alice@xn--bcher-kva.example"),
    ],
)
def test_it_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert parse(typed) == stored
    assert parse(stored) == stored


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "not-an-address"),
        ("alice", "not-an-address"),
        ("@example.org", "not-an-address"),
        ("alice@", "not-an-address"),
        ("a@example.org, b@example.org", "several"),
        ("a@example.org,b@example.org", "several"),
        ("a@example.org;b@example.org", "several"),
        ("<a@example.org>,b@example.org", "several"),
        ("Alice <alice@example.org>", "not-an-address"),
        ("alice @example.org", "not-an-address"),
        ("alice@example.org\r\nBcc: b@example.org", "several"),
        ("alice@example.org\nX", "not-a-mail-server"),
        ("alice\x00@example.org", "not-an-address"),
        ('"x\r\n"@example.org', "not-an-address"),
        ('"alice"@example.org', "not-an-address"),
        ("älice@example.org", "accents"),
        ("阿丽@example.org", "accents"),
        ("alice@[127.0.0.1]", "not-a-mail-server"),
        ("alice@127.0.0.1", "not-a-mail-server"),
        ("alice@example", "not-a-mail-server"),
        ("alice@example..org", "not-a-mail-server"),
        ("alice@-example.org", "not-a-mail-server"),
        ("alice@exam_ple.org", "not-a-mail-server"),
        ("alice@example.org.", "not-a-mail-server"),
        ("=?utf-8?q?x=0ABcc:?=@example.org", "not-an-address"),
        (".alice@example.org", "not-an-address"),
        ("al..ice@example.org", "not-an-address"),
        ("a" * 65 + "@example.org", "not-an-address"),
        ("alice@" + "x" * 60 + ".example" * 30, "too-long"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(typed: str, code: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        parse(typed)

    assert caught.value.message.code == code


def test_people_see_their_own_letters() -> None:
    assert shown("alice@xn--bcher-kva.example") == "alice@bücher.example"
    assert shown("owner@localhost") == "owner@localhost"


@given(st.text(), st.text())
def test_what_is_taken_is_safe_in_a_header_and_a_command(local: str, domain: str) -> None:
    try:
        address = parse(f"{local}@{domain}")
    except AddressRefused:
        return

    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' ,;:<>()[]"\\')
    assert address.count("@") == 1
    assert parse(address) == address


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Bob@Bücher.example", "bob@xn--bcher-kva.example"),
        ("bücher", "xn--bcher-kva"),
        ("bob@", "bob@"),
        ("例子.org", "xn--fsqu00a.org"),
        ("\u0301", "\u0301"),
        ("%_", "%_"),
    ],
)
def test_a_part_of_an_address_is_found_as_it_is_stored(typed: str, stored: str) -> None:
    assert address.stored(typed) == stored

"""A copy of a form letter is the mail that would be composed for its reader alone."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail import FormLetter, HeaderRefused, Parcel, compose
from app.mail.message import pack

LINK = "https://link.invalid/"
HEADERS = {"List-Id": "<digest.example.org>", "List-Unsubscribe": f"<https://example.org/{'x' * 300}>"}
TEXT = f"给自己 🌱\n.\n..two\n\nUnsubscribe:\n{LINK}\nbye\n"
HTML = f'<p>给自己 🌱</p>\n<p><a href="{LINK}">Unsubscribe</a></p>\n'


def read(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def contents(message: EmailMessage) -> dict[str, str]:
    """Both parts."""
    found = {}
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        found[part.get_content_type()] = part.get_content().replace("\r\n", "\n")
    return found


def copy_of(letter: FormLetter, to: str = "alice@example.org", **changed: str) -> Parcel:
    known = {"message_id": "<digest.1@example.org>", "link": "https://example.org/unsubscribe/1/abc"}
    return letter.copy(to, headers=HEADERS, **(known | changed))


@pytest.mark.parametrize("sender", ["Quarq <quarq@example.org>", f"{'给自己的信' * 20} <quarq@example.org>"])
def test_it_reads_like_a_composed_mail(sender: str) -> None:
    letter = FormLetter(sender=sender, subject="周报", text=TEXT, html=HTML, link=LINK)

    parcel = copy_of(letter)

    link = "https://example.org/unsubscribe/1/abc"
    alone = pack(
        compose(
            sender=sender, to="alice@example.org", subject="周报", text=TEXT.replace(LINK, link),
            html=HTML.replace(LINK, link), message_id="<digest.1@example.org>", headers=HEADERS,
        )
    )  # fmt: skip
    assert (parcel.sender, parcel.to) == (alone.sender, alone.to) == ("quarq@example.org", "alice@example.org")
    ours, theirs = read(parcel.wire), read(alone.wire)
    assert contents(ours) == contents(theirs)
    apart = {"date", "content-type"}
    assert {name.lower(): str(value) for name, value in ours.items() if name.lower() not in apart} == {
        name.lower(): str(value) for name, value in theirs.items() if name.lower() not in apart
    }
    assert ours.get_content_type() == theirs.get_content_type() == "multipart/alternative"


def test_its_lines_are_those_of_smtp() -> None:
    wire = copy_of(FormLetter(sender="q@example.org", subject="x", text=TEXT, html=HTML, link=LINK)).wire

    assert wire.isascii()
    assert wire.endswith(b"\r\n")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert max(map(len, wire.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    assert f"List-Unsubscribe: {HEADERS['List-Unsubscribe']}\r\n".encode() in wire, "whole, on one line"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_any_text_comes_out_as_it_went_in(words: str) -> None:
    text = f"{words}\n{LINK}\n{words}\n"
    letter = FormLetter(sender="q@example.org", subject="x", text=text, html=f"<p>\n{LINK}", link=LINK)

    found = contents(read(copy_of(letter, link="https://a.example/").wire))["text/plain"]

    assert found == f"{words}\nhttps://a.example/\n{words}\n"


@pytest.mark.parametrize("to", ["a@x.org, b@y.org", "<a@x.org>", "a@x.org\r\nBcc: b@y.org", "a b@x.org", ""])
def test_it_goes_to_one_plain_address(to: str) -> None:
    letter = FormLetter(sender="q@example.org", subject="x", text=TEXT, html=HTML, link=LINK)

    with pytest.raises(HeaderRefused):
        copy_of(letter, to=to)


@pytest.mark.parametrize("value", ["<a>\r\nBcc: b@y.org", "<ü@x.org>", "<a\x00@x.org>"])
def test_no_header_of_a_copy_holds_another(value: str) -> None:
    letter = FormLetter(sender="q@example.org", subject="x", text=TEXT, html=HTML, link=LINK)

    with pytest.raises(HeaderRefused):
        copy_of(letter, message_id=value)
    with pytest.raises(HeaderRefused):
        letter.copy("a@x.org", message_id="<a@x.org>", headers={"List-Id": value}, link="x")

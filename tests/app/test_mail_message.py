"""What may stand in a header, and what a mail looks like on the wire."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail import HeaderRefused, compose
from app.mail.message import pack, to_bytes
from tests.app.harm import BCC, POISON
from tests.app.showing_mail import sender_of


def mail(subject: str = "Your reminder", **changes: object) -> EmailMessage:
    known: dict[str, object] = {
        "sender": "Quarq <quarq@example.org>", "to": "alice@example.org", "text": "Water the plants.\n"
    }  # fmt: skip
    return compose(subject=subject, **(known | changes))  # type: ignore[arg-type]


def read(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire.replace(b"\r\n", b"\n"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("poison", POISON, ids=ascii)
def test_a_poisoned_header_is_refused(poison: str) -> None:
    for make in (
        lambda: mail(poison),
        lambda: mail(sender=f"{poison} <quarq@example.org>"),
        lambda: mail(message_id=f"<{poison}@example.org>"),
        lambda: mail(headers={"List-Id": poison}),
        lambda: mail(to=f"{poison}@example.org"),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (three classes, all of them a refusal)
            make()


def test_a_header_set_behind_our_back_is_found_on_the_wire() -> None:
    """The guard for the Pythons that write a line break out of an encoded word, and for the next such bug."""
    message = mail()
    message["X-Note"] = "one"
    message["X-Note"] = "two"
    with pytest.raises(HeaderRefused):
        to_bytes(message)

    message = mail()
    del message["Subject"]
    message["Subject"] = BCC
    try:
        wire = to_bytes(message)
    except HeaderRefused:
        wire = b""
    assert b"\nBcc" not in wire


@pytest.mark.parametrize(
    "subject",
    ["您的提醒：给植物浇水", "تذكير: اسق النباتات", "Wäsche 🧺👩‍👩‍👧", "Re: 50% = half?", "提醒" * 100, "é" * 250],
)
def test_any_language_reads_back_as_written(subject: str) -> None:
    message = read(to_bytes(mail(subject, text=f"{subject}\n", html=f"<p>{subject}</p>")))

    assert message["Subject"] == subject
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == [subject]
    assert html.get_content().splitlines() == [f"<p>{subject}</p>"]


def test_the_text_comes_first_and_everything_is_seven_bit() -> None:
    wire = to_bytes(mail(text="水" * 10_000 + "\n", html="<p>水</p>"))

    assert wire.isascii()
    assert wire.index(b"text/plain") < wire.index(b"text/html")
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998


def test_a_long_unsubscribe_link_is_not_folded() -> None:
    """Python's own policies turn it into an encoded word, which no mail program opens."""
    link = f"<https://example.org/unsubscribe/{'x' * 200}>"

    wire = to_bytes(mail(headers={"List-Unsubscribe": link}))

    assert f"List-Unsubscribe: {link}\r\n".encode() in wire


def test_long_chinese_is_folded_in_lines_of_76_and_the_list_headers_stay_whole() -> None:
    """RFC 2047: an encoded word has 75 characters at most, a line that holds one 76. RFC 8058: one whole link."""
    subject, name = "每周文摘：给植物浇水" * 16, "给自己写信的网站和朋友" * 15
    link = f"<https://example.org/unsubscribe/{'x' * 100}>"
    headers = {
        "List-Id": "<weekly.example.org>",
        "List-Unsubscribe": link,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }

    wire = to_bytes(
        mail(subject[:160], sender=f"{name[:160]} <quarq@example.org>", headers=headers, message_id="<1@a.org>")
    )

    message = read(wire)
    assert message["Subject"] == subject[:160]
    assert sender_of(wire) == (name[:160], "quarq@example.org")
    lines = header_lines(wire)
    for line in (
        b"List-Id: <weekly.example.org>",
        f"List-Unsubscribe: {link}".encode(),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"Message-ID: <1@a.org>",
        b"Auto-Submitted: auto-generated",
        b"To: alice@example.org",
        b" <quarq@example.org>",
    ):
        assert lines.count(line) == 1
    [date] = [line for line in lines if line.startswith(b"Date: ")]
    assert re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", date)
    assert sum(b"=?utf-8?" in line for line in lines) > 20


@pytest.mark.parametrize(
    "sender",
    [
        "quarq@example.org",
        f"{'q' * 60}@{'example' * 8}.org",
        f"Quarq <{'q' * 60}@{'example' * 8}.org>",
        f"{'Quarq ' * 30}<quarq@example.org>",
        '"Quarq, Ltd. (Köln)" <quarq@example.org>',
        '"Quarq, Ltd. (Ulm)" <quarq@example.org>',
    ],
)
def test_every_sender_reads_back_as_written(sender: str) -> None:
    wire = to_bytes(mail(sender=sender))

    assert sender_of(wire) == parseaddr(sender)
    assert header_lines(wire)


def test_a_header_that_programs_read_is_ascii() -> None:
    for name in ("List-Id", "List-Unsubscribe", "X-Note"):
        with pytest.raises(HeaderRefused, match=name):
            mail(headers={name: "<每周.example.org>"})
    with pytest.raises(HeaderRefused, match="Message-ID"):
        mail(message_id="<提醒@example.org>")


def header_lines(wire: bytes) -> list[bytes]:
    """Those of the header block; none holds an encoded word or a line longer than RFC 2047 allows."""
    lines = wire.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for line in lines:
        words = re.findall(rb"=\?[^ ]*\?=", line)
        assert all(len(word) <= 75 for word in words), line
        assert len(line) <= 76 or not words, line
    return lines


def test_it_goes_to_one_person() -> None:
    message = mail(to="alice@xn--bcher-kva.example")

    assert pack(message).to == "alice@xn--bcher-kva.example"
    for several in ("a@example.org, b@example.org", "a@example.org b@example.org", "<a@example.org>,b@example.org"):
        with pytest.raises(ValueError, match="mail"):
            mail(to=several)


@given(st.text(max_size=250))
def test_no_subject_makes_a_header_of_its_own(subject: str) -> None:
    try:
        wire = to_bytes(mail(subject))
    except HeaderRefused:
        return

    message = read(wire)
    assert sorted(name.lower() for name in message) == sorted(name.lower() for name in mail("x"))
    assert message["Subject"] == subject or subject != subject.strip()
    assert all(len(line) <= 76 for line in header_lines(wire))

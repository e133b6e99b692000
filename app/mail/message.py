"""Write a mail and its bytes on the wire: to one recipient, and with no header that we did not set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from email_addresses import FORBIDDEN, split

# Characters. A line of an SMTP message has at most 998 bytes, and encoded words take up to 12 per character.
MAX_HEADER = 250
LINE_WITH_WORDS = 76  # characters; RFC 2047, 2. A header line without encoded words may have 998


class Wire(EmailPolicy):
    """Folds Subject and From at 76 characters, with encoded words if needed. Keeps every other header on one line.

    The standard policies fold a long List-Unsubscribe link into an encoded word, which mail programs cannot open.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header on the wire, with its line end."""
        if name == "Subject":
            return f"{name}: {_folded(name, str(value))}\r\n".encode("ascii")
        if name == "From" and not _is_plain(name, str(value)) and value.addresses[0].display_name:
            sender: Address = value.addresses[0]
            words = _folded(name, sender.display_name, as_words=True)
            return f"{name}: {words}\r\n <{sender.addr_spec}>\r\n".encode("ascii")
        return super().fold_binary(name, value)


WIRE = Wire(linesep="\r\n", max_line_length=998, cte_type="7bit")

ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
HEADER_NAME = re.compile(rb"([!-9;-~]+):[ \t]")


class HeaderRefused(ValueError):
    """A value is invalid in a header, or a message does not parse to the headers that were set."""


def compose(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> EmailMessage:
    """A mail to exactly one recipient, as text and, if given, HTML. *sender* may be `Name <address>`.

    *to* is an address that `app.mail.address.parse` has returned. *headers* are further headers in ASCII,
    each kept on one line. HeaderRefused: a value is invalid in a header.
    """
    name, sender_address = split(checked("From", sender))
    message = EmailMessage(policy=WIRE)
    fields: dict[str, str | Address] = {
        "From": Address(name, addr_spec=plain_address(sender_address)),
        "To": Address(addr_spec=plain_address(to)),
        "Subject": checked("Subject", subject),
        "Date": format_datetime(datetime.now(UTC)),
        "Auto-Submitted": "auto-generated",  # RFC 3834: prevents holiday notices
    }
    if message_id is not None:
        fields["Message-ID"] = checked_ascii("Message-ID", message_id)
    for field, value in (headers or {}).items():
        fields[field] = checked_ascii(field, value)
    for field, field_value in fields.items():
        message[field] = field_value
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def checked(name: str, value: str) -> str:
    """*value*, if it is safe in a header. HeaderRefused otherwise.

    `=?` begins an encoded word. Python before 3.11.10 and 3.12.5 decodes it and writes its line breaks
    unchanged (CVE-2024-6923), and a mail program could show a subject that nobody wrote.
    """
    if "=?" in value:
        raise HeaderRefused(f"{name} may not hold the characters =?: leave one of them out.")
    if FORBIDDEN.search(value):
        raise HeaderRefused(f"{name} may not hold line breaks or control characters: write it on one line.")
    if len(value) > MAX_HEADER and name != "List-Unsubscribe":
        raise HeaderRefused(f"{name} is too long: it may have {MAX_HEADER} characters.")
    return value


def cleaned(text: str) -> str:
    """A person's words on one line, without what `checked` refuses."""
    return " ".join(FORBIDDEN.sub(" ", text).replace("=?", "= ?").split())


def checked_ascii(name: str, value: str) -> str:
    """`checked` for a header that programs read: it must not need encoded words."""
    if not value.isascii():
        raise HeaderRefused(f"{name} may only hold letters without accents, digits and signs.")
    return checked(name, value)


def plain_address(value: str) -> str:
    """*value*, if it is one bare address, which cannot add a recipient or end the line. HeaderRefused otherwise."""
    if len(value) > 254 or "=?" in value or not ADDRESS.fullmatch(value):
        raise HeaderRefused(f"{value[:60]!r} is not one plain email address.")
    return value


def to_bytes(message: EmailMessage) -> bytes:
    """The message on the wire, checked to hold exactly the headers that were set."""
    try:
        wire = message.as_bytes(policy=WIRE)
    except (MessageError, UnicodeError) as error:
        raise HeaderRefused(f"The mail cannot be written: {error}") from error
    check_block(wire.partition(b"\r\n\r\n")[0], list(message))
    return wire


def check_block(block: bytes, names: Iterable[str]) -> None:
    """Refuse a header block unless it holds exactly these headers, each once, in lines of printable ASCII."""
    lines = block.split(b"\r\n")
    if any(re.search(rb"[^\t\x20-\x7e]", line) or len(line) > 998 for line in lines):
        raise HeaderRefused("The mail's headers hold a byte that may not be there, or a line that is too long.")
    found: Counter[str] = Counter()
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            continue
        match = HEADER_NAME.match(line + b" ")
        if match is None:
            raise HeaderRefused(f"The mail has a line in its headers that is none: {line[:40]!r}")
        found[match[1].decode("ascii").lower()] += 1
    if found != Counter(name.lower() for name in names) or max(found.values()) > 1:
        raise HeaderRefused(f"The mail has other headers than were set: {', '.join(sorted(found))}")


@dataclass(frozen=True)
class Parcel:
    """A mail for a mail server: sender, recipient, and the bytes of the message."""

    sender: str
    to: str
    wire: bytes


def pack(message: EmailMessage) -> Parcel:
    """*message* as a parcel to its one recipient. HeaderRefused: it is unsafe to send."""
    [to], [sender] = message["To"].addresses, message["From"].addresses
    return Parcel(str(sender.addr_spec), str(to.addr_spec), to_bytes(message))


def _is_plain(name: str, value: str) -> bool:
    """Whether the header fits on one line without encoded words."""
    return value.isascii() and len(f"{name}: {value}") <= LINE_WITH_WORDS


def _folded(name: str, value: str, *, as_words: bool = False) -> str:
    """*value* unchanged if it is plain, otherwise in encoded words, one on each line."""
    if _is_plain(name, value) and not as_words:
        return value
    return Header(value, "utf-8", LINE_WITH_WORDS, name).encode(linesep="\r\n")

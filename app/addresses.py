"""One mail address, as someone typed it, to the form that is stored and mailed; or a sentence why not."""

from __future__ import annotations

import re
from email.utils import parseaddr

import idna

LONGEST = 254  # RFC 5321: a path is 256 with its angle brackets
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class AddressError(ValueError):
    """The text is not one mail address that can be used here. The message is for the person who typed it."""


def parse_address(text: str) -> str:
    """The address in lower case, its domain as A-labels (`müller.example` is `xn--mller-kva.example`).

    Nothing that comes back can end a header, name a second recipient or be decoded as an encoded word.
    """
    text = text.strip(" ")
    local, at, domain = text.rpartition("@")
    if not text:
        raise AddressError("Type your mail address.")
    if any(character in text for character in ',;<>"()[]:\\') or local.count("@"):
        raise AddressError("Type one plain address, like name@example.org.")
    if not (at and local and domain) or any(ord(c) <= 32 or ord(c) == 127 or c.isspace() for c in text):
        raise AddressError("This is not a mail address: it should look like name@example.org.")
    if not local.isascii():
        raise AddressError(
            "Only a-z, digits and signs can stand before the @: mail servers refuse other letters."
        )
    if len(local) > 64 or "=?" in local or not LOCAL_PART.fullmatch(local):
        raise AddressError("The part before the @ is not one that mail servers accept.")
    address = f"{local}@{_ascii_domain(domain)}".lower()
    if len(address) > LONGEST:
        raise AddressError(f"The address is too long: {LONGEST} characters at most.")
    return address


def owner_address(setting: str) -> str:
    """The owner's address from OWNER_EMAIL; unlike anybody else's it may be at `localhost`."""
    address = parseaddr(setting)[1].lower()
    return address if address.endswith("@localhost") else parse_address(address)


def readable(address: str) -> str:
    """The address for people: an A-label is shown as what it stands for."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def _ascii_domain(domain: str) -> str:
    try:
        ascii_domain = idna.encode(domain, uts46=True, transitional=False).decode()
    except (idna.IDNAError, UnicodeError):
        raise AddressError("The part after the @ is not a domain, like example.org.") from None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(labels) or labels[-1].isdigit() or len(ascii_domain) > 253:
        raise AddressError("The part after the @ is not a domain, like example.org.")
    return ascii_domain

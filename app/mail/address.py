"""One email address, as typed by a person: check it, and convert it to its stored form."""

from __future__ import annotations

import re

import idna

from jobs.monitor_site.web.messages import Refused

MAX_LENGTH = 254  # characters; RFC 5321, 4.5.3.1.3
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class AddressRefused(Refused):
    """Not exactly one deliverable email address. The message is for the person who typed it."""


def parse(typed: str) -> str:
    """The address in *typed*, its domain in A-labels and lower case. Refuses two addresses instead of splitting them.

    The result holds only printable ASCII without spaces, commas, quotes or brackets, so it is safe in a
    header and on an SMTP command line. Parsing a result again gives the same result.
    """
    address = typed.strip(" ")
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise AddressRefused("not-an-address", "This is not an email address. Enter one like name@example.org.")
    if len(address) > MAX_LENGTH:
        raise AddressRefused("too-long", f"This email address is too long. The limit is {MAX_LENGTH} characters.")
    if "@" in local:
        raise AddressRefused("several", "Enter one email address only.")
    if not local.isascii():
        raise AddressRefused(
            "accents", "The part before the @ may contain only unaccented letters, digits and symbols."
        )
    if len(local) > 64 or not LOCAL_PART.fullmatch(local) or "=?" in local:
        raise AddressRefused("not-an-address", "This is not an email address. Enter one like name@example.org.")
    parsed = f"{local}@{_ascii_domain(domain)}"
    if len(parsed) > MAX_LENGTH:
        raise AddressRefused("too-long", f"This email address is too long. The limit is {MAX_LENGTH} characters.")
    return parsed


def shown(address: str) -> str:
    """The address for display: its domain in Unicode."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def stored(part: str) -> str:
    """A part of an address in its stored form, for a search. Converts whole labels to A-labels."""
    local, at, domain = part.lower().rpartition("@")
    labels = [_a_label(label) for label in domain.split(".")]
    return local + at + ".".join(labels)


def _a_label(label: str) -> str:
    try:
        return label if label.isascii() else idna.encode(label, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return label


def _ascii_domain(domain: str) -> str:
    """IDNA 2008 with the mapping of UTS 46, as in browsers. Python's own codec turns ß into ss."""
    if domain.lower() == "localhost":
        return "localhost"
    try:
        found = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        found = ""
    if "." not in found or found.endswith(".") or found.rpartition(".")[2].isdigit():
        raise AddressRefused(
            "not-a-mail-server", f"{_short(domain)} is not a valid domain. Enter one like example.org."
        )
    return found


def _short(domain: str) -> str:
    """The domain for an error message, without unprintable characters."""
    return "".join(character if character.isprintable() else "?" for character in domain[:60])

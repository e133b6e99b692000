"""Read addresses from a CSV file as other programs write them: any usual encoding, separator and heading."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app.mail import AddressRefused
from app.subscribers import sheets
from jobs.monitor_site.web.messages import Message, Refused

MOST_BYTES = 2_000_000
MOST_LINES = 20_000
"""Of a file, whatever is in them."""
MOST_LISTED = 100
EMAIL_NAMES = {"email", "e-mail", "mail", "email address", "e-mail address", "email_address", "address", "subscriber"}
STATE_NAMES = {"state", "status"}
WANTED = {"", "waiting", "asked", "confirmed", "subscribed", "active", "enabled", "pending", "unconfirmed"}
"""States that do not say that somebody has left or cannot be reached."""
SEPARATORS = {",": ",", ";": ";", "\t": "a tab"}
LONGEST_SHOWN = 60

NOT_CSV = "This is not a CSV file. In a spreadsheet, save it as “CSV UTF-8”."
OTHER_SEPARATOR = "This line has “{}” between its cells, and the first line has not."
NO_COLUMN = "No column has email addresses. Name it “email” in the first line."
TOO_MANY = f"The file has more than {MOST_LINES:,} lines. Split it."


class FileRefused(Refused):
    """Nothing in the file can be used. The message is for the owner."""


@dataclass(frozen=True)
class BadLine:
    """A line without a usable address."""

    number: int
    cell: str
    why: Message


@dataclass
class Found:
    """What a file holds. Each address once, in its stored form."""

    addresses: list[str] = field(default_factory=list)
    repeated: int = 0
    bad: list[BadLine] = field(default_factory=list)
    """The first MOST_LISTED."""
    unlisted: int = 0
    """How many more there are."""

    def leave_out(self, line: BadLine) -> None:
        if len(self.bad) < MOST_LISTED:
            self.bad.append(line)
        else:
            self.unlisted += 1


def read(content: bytes, parse: Callable[[str], str]) -> Found:
    """The addresses of a file. *parse* gives the stored form, or raises AddressRefused. FileRefused: it is no CSV."""
    text = _decoded(content)
    if "\0" in text:
        raise FileRefused("not-csv", NOT_CSV)
    found, known, others = Found(), set[str](), set(SEPARATORS) - {_separator(text)}
    for place, (number, cell, state) in enumerate(_cells(text)):
        if place == MOST_LINES:
            raise FileRefused("too-many", TOO_MANY)
        try:
            if state.casefold() not in WANTED:
                raise AddressRefused("left", f"Its state is “{_short(state)}”, so it gets no email.")
            address = parse(cell)
        except AddressRefused as error:
            other = next((sign for sign in cell if sign in others), "") if "@" in cell else ""
            why = Message("other-separator", OTHER_SEPARATOR.format(SEPARATORS[other])) if other else error.message
            found.leave_out(BadLine(number, _short(cell), why))
            continue
        found.repeated += address in known
        if address not in known:
            known.add(address)
            found.addresses.append(address)
    return found


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16, or what spreadsheets on Windows write without asking."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _cells(text: str) -> Iterator[tuple[int, str, str]]:
    """Number of the line, address and state of each row."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    try:
        column, state = None, None
        for row in lines:
            row = [sheets.plain(cell.strip()).strip() for cell in row]
            if not any(row):
                continue
            if column is None:
                column, state, is_heading = _columns(row)
                if is_heading:
                    continue
            address = row[column] if column < len(row) else ""
            yield lines.line_num, address, row[state] if state is not None and state < len(row) else ""
    except csv.Error as error:
        raise FileRefused("not-csv", NOT_CSV) from error


def _columns(row: Sequence[str]) -> tuple[int, int | None, bool]:
    """The columns of address and state by the first line, and whether it is a heading."""
    for place, cell in enumerate(row):
        if "@" in cell:
            return place, None, False
    names = [cell.casefold() for cell in row]
    emails = [place for place, name in enumerate(names) if name in EMAIL_NAMES]
    states = [place for place, name in enumerate(names) if name in STATE_NAMES]
    if not emails:
        raise FileRefused("no-column", NO_COLUMN)
    return emails[0], states[0] if states else None, True


def _separator(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=first.count)


def _short(cell: str) -> str:
    return cell if len(cell) <= LONGEST_SHOWN else cell[: LONGEST_SHOWN - 1] + "…"

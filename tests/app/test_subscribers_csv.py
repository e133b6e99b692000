"""Subscribers as CSV: no cell runs in a spreadsheet, what is written is read back, and foreign files are understood."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart

from app.mail import address
from app.subscribers import exporting, reading, sheets
from app.subscribers.models import State, Subscriber
from tests.app.visitor import Visitor

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "'=1",
    "''",
    "'",
    '"',
    "a,b",
    "a\r\nb",
    "",
    "x",
]
"""What a spreadsheet would run, or a reader of CSV would split; and what only looks like it."""
cells = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=20))


def parse(typed: str) -> str:
    return address.parse(typed).lower()


def read(content: str | bytes) -> reading.Found:
    return reading.read(content.encode() if isinstance(content, str) else content, parse)


@given(st.lists(cells, min_size=1, max_size=5))
def test_every_row_is_read_back_and_none_of_its_cells_is_a_formula(row: list[str]) -> None:
    written = sheets.row(row)

    [found] = csv.reader(io.StringIO(written, newline=""))

    assert not any(cell.startswith(sheets.FORMULA) for cell in found)
    assert [sheets.plain(cell) for cell in found] == row


@given(st.lists(st.from_regex(r"[a-z'=+-][a-z'=+-]{0,8}@[a-z]{1,8}\.org", fullmatch=True), unique=True, max_size=20))
def test_addresses_survive_the_way_out_and_in(emails: list[str]) -> None:
    """Also those that a spreadsheet would run: `=` and `+` may begin an address."""
    lines = [
        sheets.row(exporting.COLUMNS),
        *(sheets.row([email, "confirmed", "", "", "", "", "-"]) for email in emails),
    ]

    found = read("".join(lines))

    assert found.addresses == emails
    assert not found.bad


FILES = {
    "one in each line": "a@example.org\nb@example.org\n",
    "a heading": "name,E-Mail\nAnn,a@example.org\nBob,b@example.org\n",
    "no heading, second column": "Ann,a@example.org\r\nBob,b@example.org\r\n",
    "semicolons": "Name;Email address\nAnn;a@example.org\nBob;b@example.org",
    "tabs": "email\tname\na@example.org\tAnn, A.\nb@example.org\tBob",
    "quotes": '"email","name"\n"a@example.org","Ann\nof two lines"\n"b@example.org",""\n',
    "blank lines and blanks": "\n\n email \n\n a@example.org \n,\nb@example.org\n",
    "old line ends": "email\ra@example.org\rb@example.org",
    "capitals": "EMAIL\nA@Example.ORG\nB@example.org",
    "states": "email,status\na@example.org,subscribed\nb@example.org,\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", FILES)
def test_files_of_other_programs_are_understood(name: str, encoding: str) -> None:
    found = read(FILES[name].replace("Ann", "Änn").encode(encoding))

    assert found.addresses == ["a@example.org", "b@example.org"]
    assert (found.repeated, found.bad) == (0, [])


def test_of_many_lines_that_cannot_be_used_the_first_are_kept_and_the_rest_counted() -> None:
    found = reading.read(b"email\n" + b"bad\n" * reading.MOST_LINES, parse)
    assert (len(found.bad), found.unlisted) == (reading.MOST_LISTED, reading.MOST_LINES - reading.MOST_LISTED)


@pytest.mark.parametrize("line", [b"bad\n", b"a@example.org\n", b'"",bad\n'])
def test_no_more_lines_are_read_than_a_file_may_have(line: bytes) -> None:
    """Whatever is in them: bad ones and repeated ones cost as much."""
    asked = 0

    def counted(cell: str) -> str:
        nonlocal asked
        asked += 1
        return parse(cell)

    with pytest.raises(reading.FileRefused):
        reading.read(b"email,x\n" + line * (reading.MOST_LINES + 100), counted)
    assert asked == reading.MOST_LINES


def test_what_cannot_be_used_is_listed_with_its_line() -> None:
    lines = ["email,state", "a@example.org,", "nonsense,", "A@example.org,active", "b@example.org,Unsubscribed"]
    lines += [
        "c@example.org,bounced",
        "a@b@example.org,",
        '"x@example.org\ny@example.org",',
        "d@example.org," + "z" * 99,
    ]

    found = read("\n".join(lines))

    assert found.addresses == ["a@example.org"]
    assert found.repeated == 1
    assert [(line.number, line.why.code) for line in found.bad] == [
        (3, "not-an-address"), (5, "left"), (6, "left"), (7, "several"), (9, "several"), (10, "left"),
    ]  # fmt: skip


def test_a_line_with_another_separator_says_so() -> None:
    found = read("email,name\na@example.org,Ann\nb@example.org;Bob\nc@example.org\tCy\n")

    assert found.addresses == ["a@example.org"]
    assert [line.why.code for line in found.bad] == ["other-separator"] * 2
    assert ["“;”" in line.why for line in found.bad] == [True, False]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04\x00\x00", "not-csv"),
        (b"\x89PNG\r\n\x1a\n\x00", "not-csv"),
        (b"name,city\nAnn,Bern\n", "no-column"),
        (b'"' + b"x" * 200_000, "not-csv"),
        ("\n".join(f"r{n}@example.org" for n in range(reading.MOST_LINES + 1)).encode(), "too-many"),
    ],
)
def test_what_is_no_list_of_addresses_is_refused_as_a_whole(content: bytes, code: str) -> None:
    with pytest.raises(reading.FileRefused) as caught:
        read(content)
    assert caught.value.message.code == code


@given(st.binary(max_size=300))
def test_no_file_is_a_fault(content: bytes) -> None:
    try:
        read(content)
    except reading.FileRefused:
        return


async def test_the_owner_downloads_all_or_one_state(app: Quart, owner: Visitor, alice: Visitor) -> None:
    now = datetime(2026, 12, 1, 10, tzinfo=UTC)
    async with app.extensions["database"].session() as db:
        db.add_all(
            Subscriber(email=f"={n}@example.org", state=state, created_at=now, reason="=cmd|' /C calc'!A0")
            for n, state in enumerate(list(State) * 600)
        )
        await db.commit()

    response = await owner.post("/subscribers/export", page="/subscribers")
    rows = list(csv.DictReader(io.StringIO(owner.text, newline="")))
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="subscribers.csv"'
    assert [sheets.plain(row["email"]) for row in rows] == [f"={n}@example.org" for n in range(2_400)]
    assert {row["reason"][:2] for row in rows} == {"'="}
    assert rows[0]["created_at"] == "2026-12-01T10:00:00+00:00"

    await owner.post("/subscribers/export", page="/subscribers", state="suppressed")
    states = {row["state"] for row in csv.DictReader(io.StringIO(owner.text, newline=""))}
    assert states == {"suppressed"}
    assert (await alice.post("/subscribers/export", page="/account")).status_code == 403

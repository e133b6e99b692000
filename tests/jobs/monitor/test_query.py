"""The query line: what a line means, what is wrong in one, and its one way to be written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import WrongValue
from jobs.monitor_site.model.wanted import STATES
from jobs.monitor_site.query import LONGEST, Query, parse
from jobs.monitor_site.query_values import FILTERS, SORTS

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 1, 14, 30, tzinfo=BERLIN)


def words(line: str) -> list[tuple[Any, ...]]:
    return [(term.filter or term.path, term.value) for term in parse(line).terms]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("", []),
        ("  some   free text ", [((), "some"), ((), "free"), ((), "text")]),
        ('"some free text"', [((), "some free text")]),
        ("state:Failed", [("state", "failed")]),
        ("State:failed,REVOKED", [("state", "failed,revoked")]),
        ("task:shop.*,mail?", [("task", "shop.*,mail?")]),
        ("customer_id:4711", [(("customer_id",), "4711")]),
        ("address.city:Berlin", [(("address", "city"), "Berlin")]),
        ('address.city:"New York"', [(("address", "city"), "New York")]),
        ('items.0."zip code":12345', [(("items", "0", "zip code"), "12345")]),
        ('"state":paid', [(("state",), "paid")]),
        ('"1":4711', [(("1",), "4711")]),
        ('note:""', [(("note",), "")]),
        (r'note:"say \"hi\" \\"', [(("note",), r'say "hi" \ '.strip())]),
        ("email:ann@example.org", [(("email",), "ann@example.org")]),
        ("path:/tmp/x", [(("path",), "/tmp/x")]),
        ("名前:明天", [(("名前",), "明天")]),
        ("took:>2s took:<=300ms", [("took", ">2s"), ("took", "<=300ms")]),
        ("attempts:3", [("attempts", "3")]),
        ("http://example.org/x?a=b", [((), "http://example.org/x?a=b")]),
        ("redis://x 10:30 2026-12-01T10:30:00", [((), "redis://x"), ((), "10:30"), ((), "2026-12-01T10:30:00")]),
        ("1:2", [((), "1:2")]),
        ("ValueError: kaputt", [((), "ValueError:"), ((), "kaputt")]),
        ("it's {'a': 1}", [((), "it's"), ((), "{'a':"), ((), "1}")]),
        ('{"a": 5"', [((), '{"a":'), ((), '5"')]),
        ("::: :a a: .", [((), ":::"), ((), ":a"), ((), "a:"), ((), ".")]),
    ],
)  # fmt: skip
def test_a_line_means(line: str, meant: list[Any]) -> None:
    assert words(line) == meant
    assert parse(str(parse(line))) == parse(line)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("took:>2 parsecs", "took:>2: write 2s, 300ms, 5m or 1h, behind > or <"),
        ("task:a took:>2parsecs b", "took:>2parsecs: write 2s, 300ms, 5m or 1h, behind > or <"),
        ("waited:2s", "waited:2s: write 2s, 300ms, 5m or 1h, behind > or <"),
        ("attempts:many", "attempts:many: write 3, >1 or <=2"),
        ("attempts:>2s", "attempts:>2s: write 3, >1 or <=2"),
        ("state:lost", "state:lost: write pending, retry, started, "),
        ("since:tomorrow", "since:tomorrow: write 15m, 1h or 2d (ago), 14:00, 2026-12-01 or 2026-12-01T14:00"),
        ("since:25:00", "since:25:00: write "),
        ("until:9999-12-31", "until:9999-12-31: write "),
        ("sort:name", "sort:name: write one of newest, oldest, took, waited, started"),
        ("task:a,,b", "task:a,,b: write a name, or several with commas"),
        ("state: failed", "state: write its value behind the colon, without a blank"),
        ("task:a task:b", "task: it is there twice: keep one"),
        ('a "b c', '"b c: put quotes around the whole value'),
        ('name:"b c', 'name:"b c: put quotes around the whole value'),
        ('"a"b', '"a"b: put quotes around the whole value'),
        ("x" * 513, "the query has 513 characters: write at most 512"),
        ("x " * 21, "the query has 21 words: write at most 20"),
    ],
)
def test_a_wrong_line_is_one_sentence_that_begins_with_what_is_wrong(line: str, sentence: str) -> None:
    with pytest.raises(WrongValue) as refused:
        parse(line)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("line", "since", "until"),
    [
        ("since:15m", "2026-12-01T14:15", None),
        ("since:2d until:1h", "2026-11-29T14:30", "2026-12-01T13:30"),
        ("since:14:00", "2026-12-01T14:00", None),
        ("since:15:00", "2026-11-30T15:00", None),
        ("until:15:00", None, "2026-11-30T15:00"),
        ("until:14:00", None, "2026-12-01T14:00"),
        ("since:14:00 until:15:00", "2026-12-01T14:00", "2026-12-01T15:00"),
        ("since:23:00 until:1:00", "2026-11-30T23:00", "2026-12-01T01:00"),
        ("since:2026-11-30 until:2026-11-30", "2026-11-30T00:00", "2026-11-30T23:59:59.999"),
        ("since:2026-11-30T08:00 until:2026-11-30T09:00Z", "2026-11-30T08:00", "2026-11-30T10:00"),
    ],
)
def test_times_are_by_the_clock_of_the_reader(line: str, since: str | None, until: str | None) -> None:
    wanted = parse(line).wanted(NOW.astimezone(UTC), BERLIN)

    expected = [datetime.fromisoformat(time).replace(tzinfo=BERLIN) if time else None for time in (since, until)]
    assert [wanted.since, wanted.until] == expected


names = st.one_of(st.sampled_from([*FILTERS, "x", "a.b", "1", "//", "größe", "ValueError"]), st.text(max_size=6))
values = st.one_of(
    st.sampled_from(["failed", ">2s", "1h", "14:00", "took", "a,b", "2", ">=3", "//x", '"', '"a b"', '\\"', "\\", ":"]),
    st.text(max_size=12),
)
lines = st.lists(st.tuples(names, values, st.sampled_from(["{0}:{1}", '{0}:"{1}"', "{1}", '"{0}":{1}', '"{1}"'])))


@given(lines)
def test_any_line_has_one_way_to_be_written_or_one_error(parts: list[tuple[str, str, str]]) -> None:
    line = " ".join(form.format(name, value) for name, value, form in parts)
    try:
        query = parse(line)
    except WrongValue:
        return

    written = str(query)

    assert parse(written) == query
    assert str(parse(written)) == written
    assert len(written) <= LONGEST
    assert query.wanted(NOW, BERLIN).first_look


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), min_size=1, max_size=3), st.text(max_size=9)
)
def test_any_argument_and_any_value_can_be_written(path: list[str], value: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    query = parse(f"{'.'.join(map(quoted, path))}:{quoted(value)}")

    assert words(str(query)) == [(tuple(path), value)]
    assert isinstance(query, Query)


ROOT = Path(__file__).parents[3]


def test_the_table_of_the_documentation_has_each_filter_and_says_what_they_are() -> None:
    section = (ROOT / "docs" / "monitoring.md").read_text().partition("## The query line")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", section, re.MULTILINE)
    examples = {line: meaning for cell, meaning in rows for line in re.findall(r"`([^`]+)`", cell)}
    kinds = {
        line: [term.filter or ("argument" if term.path else "text") for term in parse(line).terms] for line in examples
    }

    assert {kind for [kind] in kinds.values()} == {*FILTERS, "argument", "text"}
    for line, [kind] in kinds.items():
        assert (kind == "text") == examples[line].startswith("with that text"), line
    assert set(re.findall(r"`(\w+)`", examples["state:failed"])) == STATES.keys()
    sorts = {parse(line).value("sort") for line in examples}
    assert sorts == {"", *SORTS}
    [refused] = re.findall(r"What is wrong is named: `(.*)`\.", section)
    with pytest.raises(WrongValue, match=f"^{re.escape(refused)}$"):
        parse(refused.partition(": ")[0])

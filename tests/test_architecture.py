"""docs/architecture.md is true: every path and name in it, the order of the rooms, and the length of its walks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.floors import FLOORS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = re.compile(r"`(\w+)` in `([\w/]+\.\w+)`")
PATH = re.compile(r"`((?:app|jobs|tests|docs)/[\w/.-]+|settings\.py|worker\.py)`")
WALKS = re.findall(r"^### (.+?)\n\n(.*?)(?=\n##|\Z)", PAGE, re.MULTILINE | re.DOTALL)


def test_every_path_exists() -> None:
    assert [path for path in PATH.findall(PAGE) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("name", "path"), NAMED.findall(PAGE), ids=" in ".join)
def test_every_name_is_defined_where_the_page_says(name: str, path: str) -> None:
    defined = rf"(?:class|def|function) {name}\b|^ *{name}\b(?::.*)? = "

    assert re.search(defined, (ROOT / path).read_text(), re.MULTILINE), f"{path} defines no {name}"


def test_the_picture_of_the_rooms_is_the_one_that_imports_are_held_to() -> None:
    picture = PAGE.split("## The rooms")[1].split("```")[1]
    drawn = [re.split(r" {6,}", line.strip())[0].split() for line in picture.splitlines()[1:] if line.strip()]
    files = {"__init__", "__main__"}
    held = [room for floor in reversed(FLOORS) for room in floor if room not in files]

    assert sorted(room for line in drawn for room in line) == sorted(held)
    on_top = {*files, "testing", "commands"}
    assert [room for line in drawn for room in sorted(line) if room not in on_top] == [
        room for floor in reversed(FLOORS) for room in sorted(floor) if room not in on_top
    ]


def test_there_are_four_walks() -> None:
    assert len(WALKS) == 4


@pytest.mark.parametrize(("title", "steps"), WALKS, ids=[title for title, _ in WALKS])
def test_a_walk_comes_to_seven_files_at_most_and_never_back(title: str, steps: str) -> None:
    numbered = re.findall(r"^(\d)\. (.+)$", steps, re.MULTILINE)
    files = [path for _, step in numbered for path in PATH.findall(step)]

    assert [int(number) for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert len(files) <= 7
    assert len(set(files)) == len(files), f"{title} comes back to a file"


def test_twelve_questions_have_one_to_three_files_each() -> None:
    table = PAGE.split("## Where do I change")[1]
    rows = [row for row in re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE) if "`" in row[1]]

    assert len(rows) == 12
    for question, answer in rows:
        assert 1 <= len(PATH.findall(answer)) <= 3, question

"""The pages for people: every link leads somewhere, every page is listed, every command of a figure exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import jobs
import pytest_quarq_jobs
from jobs import encoding, testing
from jobs.commands import commands
from jobs.contrib import pickled
from jobs.store.keys import NAMES, Keys
from settings import ROOT
from tests.bench.__main__ import GROUPS
from tests.chaos.__main__ import of_name
from tests.metric_names import OF_A_PROCESS, OF_JOBS

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOTS = (ROOT, ROOT / "examples" / "from_celery" / "after")
"""Where the files are that pages name: in the clone, and in the project that docs/from-celery.md moves."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> Iterator[str]:
    """The links into this repository."""
    for link in LINK.findall(without_code(page.read_text())):
        if not re.match(r"[a-z]+:", link):
            yield link


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_every_file_that_is_named_exists() -> None:
    """Decisions and the changelog name files of their time."""
    named = re.compile(r"\b((?:app|examples|jobs|tests)/[\w/]*\w\.(?:py|lua|toml|txt))\b")
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    names = {(page.name, name) for page in pages for name in named.findall(page.read_text())}

    assert len(names) > 10
    assert [(page, name) for page, name in sorted(names) if not any((root / name).exists() for root in ROOTS)] == []


def test_every_file_in_the_table_of_a_decision_exists() -> None:
    """A table of features names the file of each cell."""
    tables = re.findall(r"^\|.*\|$", (ROOT / "docs/decisions/0020-seen-by-everybodys-tools.md").read_text(), re.M)
    named = re.findall(r"`((?:app|docs|jobs|tests)/[\w/.-]+)`", "\n".join(tables))

    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("index", [ROOT / "docs" / "index.md", ROOT / "docs" / "decisions" / "README.md"])
def test_an_index_lists_every_page(index: Path) -> None:
    listed = {(index.parent / link).resolve() for link in links(index)}

    assert [page.name for page in index.parent.glob("*.md") if page not in {*listed, index}] == []


def test_the_site_has_every_page_in_its_navigation() -> None:
    """`make docs` builds it."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    pages = {page for part in nav for page in (next(iter(part.values())) if isinstance(part, dict) else [part])}

    assert pages == {page.name for page in (ROOT / "docs").glob("*.md")} | {"decisions/README.md"}


def test_every_command_of_a_figure_exists() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    benchmarks, scenarios = (
        {
            word
            for quoted, bare in re.findall(rf'make {target} {name}=(?:"([^"]+)"|([\w-]+))', text)
            for word in (quoted or bare).split()
            if not word.startswith("--") and not word.isdigit()
        }
        for target, name in (("bench", "BENCH"), ("chaos", "CHAOS"))
    )

    assert len(benchmarks) > 5
    assert benchmarks <= set(GROUPS)
    assert len(scenarios) > 10
    assert [name for name in scenarios if not of_name(name)] == []


OF_THE_CLONE = {"alerts", "architecture", "deploy", "index", "mail", "pages", "site"}
"""Pages about the site and about the code."""


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.stem
)
def test_pages_of_the_library_say_what_is_installed_and_others_what_the_clone_has(page: Path) -> None:
    used = set(re.findall(r"(?:\bfrom|\bimport|python -m|^:::) ((?:quarq_)?jobs)\b", page.read_text(), re.M))

    assert used <= ({"jobs"} if page.stem in OF_THE_CLONE else {"quarq_jobs"})


STABILITY = (ROOT / "docs" / "stability.md").read_text()


OF_THE_EXTRA = ("Viewer", "monitor_app")
"""No `import *` has these names, because they need the extra `monitor`."""


def promised(begin: str) -> list[str]:
    """The names in the other cells of the rows of docs/stability.md whose first cell begins so."""
    rows = [row.partition(" | ") for row in re.findall(r"^\| (.*) \|$", STABILITY, re.MULTILINE)]
    return sorted(
        name for first, _, others in rows if first.startswith(begin) for name in re.findall(r"`(.+?)`", others)
    )


def test_each_public_name_has_one_word_about_its_stability() -> None:
    """A new one is not public before docs/stability.md says what it promises."""
    [own] = re.findall(r"^\| (`status`.*) \|$", STABILITY, re.MULTILINE)
    of_arq = {key for key in NAMES.values() if not key.startswith(Keys.OURS)}
    events = (ROOT / "docs" / "events.md").read_text().partition("| field |")[0]

    assert promised("`quarq_jobs`") == sorted([*jobs.__all__, *OF_THE_EXTRA])
    assert promised("`quarq_jobs.testing`") == sorted(testing.__all__)
    assert promised("fixtures") == sorted(name for name in vars(pytest_quarq_jobs) if name.startswith("jobs_"))
    assert sorted(re.findall(r"`(\w+)`", own)) == sorted(commands.commands)
    assert promised("[events]") == sorted(re.findall(r"^\| `(?:job|worker)` \| `(\w+)`", events, re.MULTILINE))
    assert {*re.findall(r"`(arq:[\w:-]+)`", STABILITY)} == of_arq
    assert all(hasattr(encoding, name) for name in promised("`quarq_jobs.encoding`"))
    assert all(hasattr(pickled, name) for name in promised("`quarq_jobs.contrib.pickled`"))
    assert all(name.startswith("quarq_") for name in OF_JOBS | OF_A_PROCESS)

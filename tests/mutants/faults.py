"""The list of faults, and where in the code each one goes: found by its text, wherever that is now."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, starmap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("faults.toml")
CODE = ("jobs", "app", "email_addresses.py", "settings.py", "settings_readers.py", "worker.py")
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")
ENDINGS = {".py", ".lua", ".html", ".txt"}


@dataclass(frozen=True)
class Fault:
    """One fault: the *find* text of the code is replaced by *instead*.

    *tests* are patterns of the names of test files, without `.py`. *only* are parts of the names of their tests: of
    slow files, the others are not run. *chaos*: names of scenarios that have to find it, instead of test files.
    """

    id: str
    wrong: str
    find: str
    instead: str
    tests: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    chaos: tuple[str, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The text to find, however its lines are broken and whether or not its last item has a comma behind it."""
        words = re.findall(r"\w+|[^\w\s]", self.find)
        return re.compile(re.escape(words[0]) + "".join(starmap(_follows, pairwise(words))))

    def places(self, code: Mapping[Path, str]) -> list[tuple[Path, re.Match[str]]]:
        """Where the code has the text: there should be one place."""
        return [(path, match) for path, text in code.items() for match in self.pattern.finditer(text)]

    def test_files(self, root: Path = ROOT) -> list[Path]:
        """The test files, wherever below tests/ they are."""
        return sorted({path for name in self.tests for path in (root / "tests").rglob(f"{name}.py")})

    def missing_tests(self, root: Path = ROOT) -> list[str]:
        """Patterns that no file has, parts of names that no test has, scenarios that there are not."""
        files = [name for name in self.tests if not any((root / "tests").rglob(f"{name}.py"))]
        names = re.findall(r"\bdef (test_\w+)", "\n".join(path.read_text() for path in self.test_files(root)))
        parts = [part for part in self.only if not any(part in name for name in names)]
        scenarios = "".join(path.read_text() for path in (root / "tests/chaos/scenarios").glob("*.py"))
        return files + parts + [name for name in self.chaos if f'@scenario("{name}"' not in scenarios]

    def put_into(self, root: Path) -> None:
        """Change the code below *root*. ValueError if it has the text not once."""
        found = self.places(code_of(root))
        if len(found) != 1:
            where = ", ".join(str(path.relative_to(root)) for path, _ in found) or "nowhere"
            raise ValueError(f"its text is in {len(found)} places instead of one: {where}")
        [(path, match)] = found
        path.write_text(match.string[: match.start()] + self.instead + match.string[match.end() :])


def load() -> list[Fault]:
    """The faults in the order of the list."""
    return [
        Fault(**{name: tuple(value) if isinstance(value, list) else value for name, value in fault.items()})
        for fault in tomllib.loads(LIST.read_text())["fault"]
    ]


def code_of(root: Path = ROOT) -> dict[Path, str]:
    """The text of every file of the code below *root*."""
    below = [path for part in CODE for path in ((root / part).rglob("*") if "." not in part else [root / part])]
    return {path: path.read_text(encoding="utf-8") for path in sorted(below) if path.suffix in ENDINGS}


def _follows(before: str, word: str) -> str:
    """A pattern of *word* after the one before it."""
    if word in CLOSING and before not in OPENING:
        return rf"\s*,?\s*{re.escape(word)}"
    apart = r"\s+" if before[-1].isalpha() and word[0].isalpha() else r"\s*"
    return apart + re.escape(word)

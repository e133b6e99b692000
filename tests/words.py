"""`python -m tests.words`: words of an old dialect, and what to write instead. One concept, one word: the field's."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READ = (
    "jobs/**/*.py", "jobs/**/*.lua", "app/**/*.py", "app/**/*.html", "app/**/*.txt", "docs/*.md",
    "examples/**/*.py", "*.md", "*.py", "Makefile", ".env.example", "compose.yaml",
)  # fmt: skip
EXCEPT = ("CHANGELOG.md", "jobs/monitor_site/static/vendor/", "app/migrations/versions/")

INSTEAD = {
    r"told": "stored, published, logged, declared, shown, reported: the one that is meant",
    r"is said|are said|said once": "reported, logged or shown",
    r"whoever": "the caller, the reader, the worker: the one that is meant",
    r"so many": "a number, at most, how many",
    r"so often": "how often, every n seconds",
    r"stands?(?! for)": "is",
    r"stood": "was",
    r"what (?:has )?(?:came|come|became) of": "the outcome",
    r"mend(?:s|ed|ing)?": "fix",
    r"beside": "next to, with",
    r"dear": "expensive",
    r"(?<!, )look in": "watch, check",
    r"(?:put|puts|putting) away": "remove, archive",
    r"(?:put|puts|putting) down": "park",
    r"(?<!e-)mail address(?:es)?": "email address",
    r"hand(?:s|ed)? back|let(?:s)? go": "release (a claim), give back (a slot)",
    r"nobody of ours|somebody of ours|nobody's": "not written by this library, damaged",
    r"sought": "searched for",
    r"thereby|therein|thereof|hereby|wherein": "by that, in it",
    r"have it be": "say it plainly",
    r"fared": "went, ended",
}
"""A pattern between word boundaries -> what to write instead."""
_DIALECT = re.compile(rf"\b(?:{'|'.join(f'(?:{old})' for old in INSTEAD)})\b", re.IGNORECASE)


def findings() -> list[str]:
    """Each place as `path:line: word: what to write instead`."""
    found = []
    for path in sorted({path for pattern in READ for path in ROOT.glob(pattern)}):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(EXCEPT):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in _DIALECT.finditer(line):
                instead = next(meant for old, meant in INSTEAD.items() if re.fullmatch(old, match[0], re.IGNORECASE))
                found.append(f"{name}:{number}: {match[0]!r}: write {instead}")
    return found


if __name__ == "__main__":
    found = findings()
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)

"""The query line, `task:shop.* state:failed customer_id:4711 took:>2s since:1h`: one for pages, commands and the API.

A word with a name of FILTERS before its colon filters. Any other `name:value` is an argument of that name with that
value, `address.city:Berlin` one inside it. All else is text. Quotes are for blanks: `"two words"`, `name:"two words"`;
a name in quotes is an argument's: `"state":paid`. What begins with a digit (`10:30`) or has `//` behind its colon
(`http://x`) is text.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from ..errors import WrongValue
from .query_values import BOUNDS, FILTERS, bound, moment_meant
from .search_names import Names
from .search_text import Needle
from .wanted import Wanted

LONGEST, MOST_TERMS = 512, 20
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PATH = rf"(?:[^\W\d]\w*+|{_QUOTED})(?:\.(?:\w++|{_QUOTED}))*+"
_TERM = re.compile(rf'\s*(?:(?P<path>{_PATH}):(?!//|\s|\Z))?+(?P<value>{_QUOTED}(?!\S)|[^\s"]\S*+)', re.DOTALL)
_NAME, _INNER, _VALUE = r"[^\W\d]\w*", r"\w+", r'(?!//)[^\s"]\S*'  # What needs no quotes.


@dataclass(frozen=True)
class Term:
    """One word: of a filter, of an argument, which has a path, or of text. `value` is what is meant, without quotes."""

    filter: str
    value: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        path = ".".join(_quoted(name, _INNER if place else _NAME) for place, name in enumerate(self.path))
        name = f'"{path}"' if path.lower() in FILTERS else path or self.filter
        if name:
            return f"{name}:{_quoted(self.value, _VALUE)}"
        read = _TERM.fullmatch(self.value)
        is_text = read and read["value"] == self.value and self.value[0] != '"' and not _lacks_value(self.value)
        return self.value if is_text else _quoted(self.value, "")


@dataclass(frozen=True)
class Query:
    """Jobs that fit every term. `str()` is a line that `parse` reads as the same query."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def value(self, filter: str) -> str:
        """What this filter asks for; '' for nothing."""
        return next((term.value for term in self.terms if term.filter == filter), "")

    def wanted(self, at: datetime, zone: tzinfo = UTC) -> Wanted:
        """What it asks for at this moment, with times of day by the clocks of this zone."""
        filters = {term.filter: term.value for term in self.terms if term.filter}
        since = moment_meant(filters.get("since", ""), at.astimezone(zone))
        until = moment_meant(filters.get("until", ""), at.astimezone(zone), since or at - timedelta(days=1))
        only = self.terms[0] if len(self.terms) == 1 else Term("", "")
        return Wanted(
            states=tuple(filters["state"].split(",")) if "state" in filters else (),
            names={name: Names(filters[name]) for name in ("task", "queue", "worker", "error") if name in filters},
            texts=tuple(Needle(term.value) for term in self.terms if not term.filter and not term.path),
            arguments=tuple((term.path, Needle(term.value)) for term in self.terms if term.path),
            bounds=tuple((one.filter, *bound(one.filter, one.value)) for one in self.terms if one.filter in BOUNDS),
            since=since,
            until=until,
            at=at,
            sort=filters.get("sort", ""),
            job_id="" if only.filter else str(only) if only.path else only.value,
        )


def parse(line: str) -> Query:
    """The query of a line. WrongValue begins with the word that is wrong, and says what to write."""
    if len(line) > LONGEST:
        raise WrongValue(f"the query has {len(line):,} characters: write at most {LONGEST}")
    line, at, terms = line.strip(), 0, list[Term]()
    while at < len(line):
        match = _TERM.match(line, at)
        if match is None:
            raise WrongValue(f'{line[at : at + 40].strip()}: put quotes around the whole value, and \\" inside it')
        term, at = _term(match["path"] or "", match["value"]), match.end()
        if term.filter not in ("", *BOUNDS) and any(one.filter == term.filter for one in terms):
            raise WrongValue(f"{term}: {term.filter} is there twice: keep one")
        terms += [term] if term.value or term.path else []
    if len(terms) > MOST_TERMS:
        raise WrongValue(f"the query has {len(terms)} words: write at most {MOST_TERMS}")
    return Query(tuple(terms))


def query_of(text: str = "", **filters: str) -> Query:
    """The query with these filters, '' for none, and one text. WrongValue as for a line."""
    terms = [_filter(name, value) for name, value in filters.items() if value]
    return Query((*terms, *([Term("", text.strip())] if text.strip() else [])))


def _term(path: str, written: str) -> Term:
    if path.lower() in FILTERS:
        return _filter(path.lower(), _unquoted(written))
    if _lacks_value(written):
        raise WrongValue(f"{written} write its value behind the colon, without a blank")
    return Term("", _unquoted(written), tuple(_unquoted(one) for one in re.findall(rf"{_QUOTED}|\w+", path)))


def _filter(name: str, value: str) -> Term:
    check, advice = FILTERS[name]
    try:
        return Term(name, check(value.strip()))
    except ValueError:
        raise WrongValue(f"{name}:{value}: {advice}") from None


def _lacks_value(text: str) -> bool:
    return text.endswith(":") and text[:-1].lower() in FILTERS


def _quoted(value: str, plain: str) -> str:
    return value if re.fullmatch(plain, value) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _unquoted(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL) if written.startswith('"') else written

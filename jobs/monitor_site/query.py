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
from .model.wanted import Needle, Wanted
from .query_values import FILTERS, NAMES, bound, moment_meant

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
        if name := f'"{path}"' if path.lower() in FILTERS else path or self.filter:
            return f"{name}:{_quoted(self.value, _VALUE)}"
        read = None if self.value.startswith('"') or _lacks_value(self.value) else _TERM.fullmatch(self.value)
        return self.value if read and read["value"] == self.value else _quoted(self.value, "")


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
        local, only = at.astimezone(zone), self.terms[0] if len(self.terms) == 1 else Term("sort", "")
        since = moment_meant(filters.get("since", ""), local)
        names = {name: filters[name].replace("[", "[[]").split(",") for name in NAMES if name in filters}
        return Wanted(
            at,
            states=filters["state"].split(",") if "state" in filters else (),
            names=names,
            texts=[Needle(term.value) for term in self.terms if not (term.filter or term.path)],
            arguments=[(term.path, Needle(term.value)) for term in self.terms if term.path],
            bounds=[
                (one.filter, *bound(one.value)[:2]) for one in self.terms if one.filter and FILTERS[one.filter].repeats
            ],
            since=since,
            until=moment_meant(filters.get("until", ""), local, since or at - timedelta(days=1)),
            sort=filters.get("sort", ""),
            job_id="" if only.filter else str(only) if only.path else only.value,
        )


def parse(line: str) -> Query:
    """The query of a line. WrongValue begins with the word that is wrong, and says what to write."""
    if len(line) > LONGEST:
        raise WrongValue(f"the query has {len(line):,} characters: write at most {LONGEST}")
    line, at, terms = line.strip(), 0, list[Term]()
    while at < len(line):
        if not (match := _TERM.match(line, at)):
            raise WrongValue(f'{line[at : at + 40].strip()}: put quotes around the whole value, and \\" inside it')
        path, value, at = match["path"] or "", _unquoted(match["value"]), match.end()
        if _lacks_value(match[0].strip()):
            raise WrongValue(f"{value} write its value behind the colon, without a blank")
        names = [_unquoted(one) for one in re.findall(rf"{_QUOTED}|\w+", path)]
        terms.append(_filter(path.lower(), value) if path.lower() in FILTERS else Term("", value, tuple(names)))
    once = [term.filter for term in terms if term.filter and not FILTERS[term.filter].repeats]
    if twice := [name for name in once if once.count(name) > 1]:
        raise WrongValue(f"{twice[0]}: it is there twice: keep one")
    if len(terms) > MOST_TERMS:
        raise WrongValue(f"the query has {len(terms)} words: write at most {MOST_TERMS}")
    return Query(tuple(term for term in terms if term.value or term.path))


def _filter(name: str, value: str) -> Term:
    try:
        return Term(name, FILTERS[name].read(value.strip()))
    except ValueError:
        raise WrongValue(f"{name}:{value}: write {FILTERS[name].advice}") from None


def _lacks_value(text: str) -> bool:
    return text.endswith(":") and text[:-1].lower() in FILTERS


def _quoted(value: str, plain: str) -> str:
    return value if re.fullmatch(plain, value) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _unquoted(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL) if written.startswith('"') else written

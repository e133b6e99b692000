"""A traceback as parts to read: what was raised, frames of the application, and frames of libraries between them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

MOST_PARTS = 400
_FRAME = re.compile(r'File "(.+)", line (\d+)(?:, in (.+))?')
_PACKAGE = re.compile(r".*/(?:site|dist)-packages/([^/]+)", re.DOTALL)
_NOT_OWN = re.compile(r"(?!/)|.*/(?:site|dist)-packages/|.*/lib/python\d\.\d+/", re.DOTALL)
"""Files that are no application's: compiled ones, installed packages and Python itself."""
_OURS = f"{Path(__file__).parents[1]}/"
_HEADS = ("Traceback (most recent call last):", "Exception Group Traceback (most recent call last):")
_BORDER = re.compile(r"(?: *[|+][-+]*(?: |$))?")  # Before the lines of an exception group.
_BETWEEN = re.compile(r"(?:The above exception was|During handling of the above exception).*:|\d+ -+")


@dataclass(frozen=True)
class Frame:
    """A line of code that was being run."""

    file: str
    line: int
    function: str
    source: str = ""


@dataclass(frozen=True)
class Part:
    """Frames that follow each other, all of the application or none; or a text: an error, or what is between two."""

    text: str = ""
    frames: tuple[Frame, ...] = ()
    is_own: bool = False

    @property
    def is_between(self) -> bool:
        """Does it say how the errors before and after it are connected?"""
        return bool(_BETWEEN.fullmatch(self.text))


def parts_of(text: str) -> list[Part]:
    """The parts of a traceback, in its order; of a reason that is no traceback, its text."""
    found: list[Part] = []
    lines = list(_read(text.splitlines()))
    is_own = _who_is_own([line for line in lines if isinstance(line, Frame)])
    for one in lines:
        last = found[-1] if found else Part()
        if isinstance(one, Frame) and last.frames and last.is_own == is_own(one):
            found[-1] = replace(last, frames=(*last.frames, one))
        elif isinstance(one, Frame):
            found.append(Part(frames=(one,), is_own=is_own(one)))
        elif last.text and not last.is_between and not _BETWEEN.fullmatch(one):
            found[-1] = Part(f"{last.text}\n{one}")
        else:
            found.append(Part(one))
    return found[-MOST_PARTS:]


def _who_is_own(frames: Sequence[Frame]) -> Callable[[Frame], bool]:
    """The application's, as far as paths say; of one that is installed, the package that comes first."""
    if any(map(_is_own, frames)):
        return _is_own
    packages = [match[1] for frame in frames if (match := _PACKAGE.match(frame.file))]
    own = next((package for package in packages if package not in ("arq", "quarq_jobs")), None)
    return lambda frame: (match := _PACKAGE.match(frame.file)) is not None and match[1] == own


def _is_own(frame: Frame) -> bool:
    return not (_NOT_OWN.match(frame.file) or frame.file.startswith(_OURS))


def _read(lines: Iterable[str]) -> Iterator[Frame | str]:
    """Frames, each with its source, and lines of text. Marks under the source say nothing without a fixed width."""
    frame: Frame | None = None
    for line in lines:
        inner = _BORDER.sub("", line, count=1)
        if frame and inner.startswith("    "):
            if not frame.source:
                frame = replace(frame, source=inner.strip())
            continue
        if frame:
            yield frame
        match = _FRAME.fullmatch(inner.strip())
        frame = Frame(match[1], int(match[2][:9]), match[3] or "") if match else None
        if not match and inner.strip() not in _HEADS and not set(inner) <= set("-+ |"):
            yield inner
    if frame:
        yield frame

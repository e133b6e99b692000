"""What a failed attempt has in common with others that the monitor shows as one error. Imported when one fails."""

import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

from ..values.exceptions import error_line, whole_text
from ..values.short_text import CUT, cut

MESSAGE_CHARS = 4_000  # Characters of a message that are looked at.
PART_CHARS = 300  # And that are kept of what is left of it, of a class and of a place.

_LIBRARY = f"{Path(__file__).parents[1]}/"
_PYTHON = sysconfig.get_path("stdlib")
_PACKAGE = re.compile(r".*/(?:site|dist)-packages/([^/]+)")
_FRAME = re.compile(r'^[ |]*File "(.+?)", line \d+, in (.+)$', re.MULTILINE)
_PARTICULAR = re.compile(
    r"""(?<!\w)[bru]?(?: '(?:[^'\\]|\\.?|'(?=\w))*(?:'|$) | "(?:[^"\\]|\\.?|"(?=\w))*(?:"|$) )
    | `[^`]*(?:`|$) | “[^”]*(?:”|$) | «[^»]*(?:»|$) | ‘[^’]*(?:’|$)
    | \b\w+://[^\s'"<>)\]]+
    | (?<![\w.:/@%+~-])(?:[\w.:/@%+~-]|,(?=\d))*\d(?:(?:[\w.:/@%+~-]|,(?=\d))*[\w%])?
    | (?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]*\w | (?<!\w)[0-9a-fA-F]{8,}(?!\w)""",
    re.VERBOSE | re.DOTALL,
)
"""What is quoted, an address, what has a digit, and an id that has none."""
_SEVERAL = re.compile(rf"{CUT}(?:[\s,;:=]*{CUT})+")


def parts_of(error: BaseException, trace: str) -> tuple[str, str, str]:
    """Its class, its place and its message, with `…` for what differs from one failure to the next. *trace*: its
    traceback, which may have come from another process.
    """
    kind, _, message = error_line(error, MESSAGE_CHARS).partition(": ")
    frames = ((frame.f_code.co_filename, frame.f_code.co_name) for frame, _ in traceback.walk_tb(error.__traceback__))
    place = _place(frames) or _place(_FRAME.findall(trace))
    return cut(whole_text(kind), PART_CHARS), cut(whole_text(place), PART_CHARS), whole_text(pattern_of(message))


def pattern_of(message: str) -> str:
    """The message without what is particular to one failure, on one line."""
    common = _SEVERAL.sub(CUT, _PARTICULAR.sub(CUT, message))
    return cut(" ".join(common.split()), PART_CHARS)


def _place(frames: Iterable[tuple[str, str]]) -> str:
    """`shop/cards.py in charge`: the last frame of the application; '' if none is. No edit elsewhere changes it.
    Where the application is installed as a package, it is the last frame of the package that comes first.
    """
    found = list[tuple[str, str, str]]()
    for file, name in frames:
        package = match[1] if (match := _PACKAGE.match(file)) else ""
        is_pythons = not package and file.startswith(_PYTHON)
        if file[0] == "/" and not (is_pythons or package == "arq" or file.startswith(_LIBRARY)):
            found.append((package, "/".join(file.split("/")[-2:]), name))
    own = [one for one in found if not one[0]] or [one for one in found if one[0] == found[0][0]]
    return f"{own[-1][1]} in {own[-1][2]}" if own else ""

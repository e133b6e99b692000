"""The Lua scripts: one file each, whose first comment states what it guarantees."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

from ..keys import NAMES, NUMBERS, Keys

_TEXTS = {
    file.name: file.read_text(encoding="utf-8") for file in files(__name__).iterdir() if file.name.endswith(".lua")
}
"""All are read at once: while this process runs, an upgrade may put those of another release there."""
_WORDS = re.compile(rf"--.*|'[^'\n]*'|\b({'|'.join(NAMES | NUMBERS)})\b")  # Comments and texts, or a constant.


Name: TypeAlias = Literal[
    "alone", "aside", "bulk", "child", "claim", "due", "enqueue", "find", "finish", "fire", "forget", "fork", "leave",
    "mark", "members", "move", "note", "pause", "progress", "put", "queues", "read", "refuse", "release", "renew",
    "reschedule", "resume", "revoke", "send_event", "set_limits", "steer", "step", "steps", "time_out",
]  # fmt: skip


@dataclass(frozen=True)
class Script:
    text: bytes  # What EVAL needs when the server has forgotten it.
    sha: bytes  # What EVALSHA needs.


@cache
def script(name: Name, has_prefix: bool = False) -> Script:
    """`<name>.lua` with all that it needs before it, put together when it is first used: most processes use a few.
    *has_prefix*: for applications that have one.

    A line `-- include: one, other` brings in one.lua and other.lua, with what they include; `-- flags: allow-oom`
    becomes the script's shebang.
    """
    own = _TEXTS[f"{name}.lua"]
    flags = re.search(r"^-- flags: (.+)$", own, re.MULTILINE)
    shebang = f"#!lua flags={flags[1]}\n" if flags else ""
    text = (shebang + (whole if has_prefix else without_prefix)(with_parts(own))).encode()
    return Script(text, hashlib.sha1(text).hexdigest().encode())


def with_parts(lua: str) -> str:
    """*lua* with what it includes."""

    def parts(line: re.Match[str]) -> str:
        return "\n".join(with_parts(_TEXTS[f"{name}.lua"]) for name in line[1].split(", "))

    return re.sub(r"^-- include: (.+)$", parts, lua, flags=re.MULTILINE)


def whole(lua: str) -> str:
    """*lua* behind the prelude, and behind those constants of jobs/store/keys.py that the two use.

    A script's one `KEYS[1]` is `<prefix>jobs:`, which the access list of docs/redis.md allows: every key and channel
    that it names is made of the prefix.
    """
    body = f"{_TEXTS['prelude.lua']}\n{lua}"
    used = sorted({word[1] for word in _WORDS.finditer(body) if word[1]})
    constants = "".join(f"local {name} = {(NAMES | NUMBERS)[name]!r}\n" for name in used)
    keys = [name for name in used if name in NAMES]
    with_prefix = f"{', '.join(keys)} = {', '.join(f'PREFIX .. {name}' for name in keys)}"
    prefix = f"local PREFIX = KEYS[1]:sub(1, -{len(Keys.OURS) + 1})\nif PREFIX ~= '' then {with_prefix} end"
    return f"{constants}{prefix}\n{body}"


def without_prefix(lua: str) -> str:
    """The same where no prefix is, with constants as values: what functions share makes each run of a script longer."""
    body = f"local PREFIX = ''\n{_TEXTS['prelude.lua']}\n{lua}"
    return _WORDS.sub(lambda word: repr((NAMES | NUMBERS)[word[1]]) if word[1] else word[0], body)

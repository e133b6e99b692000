"""The Lua scripts: one file each, whose first comment states what it guarantees."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from ..keys import NAMES, NUMBERS, Keys

_folder = files(__name__)
_WORDS = re.compile(rf"--.*|'[^'\n]*'|\b({'|'.join(NAMES | NUMBERS)})\b")
"""Comments and texts, or a constant."""


@dataclass(frozen=True)
class Script:
    """What EVALSHA needs, and the text that EVAL needs when the server has forgotten it."""

    name: str
    text: bytes
    sha: bytes
    prefixed: "Script | None" = None
    """The same for applications that have a prefix."""


def load(name: str) -> Script:
    """`<name>.lua` with all that it needs before it.

    A line `-- include: one, other` brings in one.lua and other.lua; `-- flags: allow-oom` becomes the script's shebang.
    """
    own = _read(name)
    flags = re.search(r"^-- flags: (.+)$", own, re.MULTILINE)
    shebang = f"#!lua flags={flags[1]}\n" if flags else ""
    included = re.sub(
        r"^-- include: (.+)$", lambda line: "\n".join(map(_read, line[1].split(", "))), own, flags=re.MULTILINE
    )
    return _script(name, shebang + without_prefix(included), _script(name, shebang + whole(included)))


def _script(name: str, lua: str, prefixed: Script | None = None) -> Script:
    text = lua.encode()
    return Script(name, text, hashlib.sha1(text).hexdigest().encode(), prefixed)


def whole(lua: str) -> str:
    """*lua* behind the prelude, and behind those constants of jobs/store/keys.py that the two use.

    A script's one `KEYS[1]` is `<prefix>jobs:`, which the access list of docs/redis.md allows: every key and channel
    that it names is made of the prefix.
    """
    body = f"{_read('prelude')}\n{lua}"
    used = sorted({word[1] for word in _WORDS.finditer(body) if word[1]})
    constants = "".join(f"local {name} = {(NAMES | NUMBERS)[name]!r}\n" for name in used)
    keys = [name for name in used if name in NAMES]
    with_prefix = f"{', '.join(keys)} = {', '.join(f'PREFIX .. {name}' for name in keys)}"
    prefix = f"local PREFIX = KEYS[1]:sub(1, -{len(Keys.OURS) + 1})\nif PREFIX ~= '' then {with_prefix} end"
    return f"{constants}{prefix}\n{body}"


def without_prefix(lua: str) -> str:
    """The same where no prefix is, with constants as values: what functions share makes each run of a script longer."""
    body = f"local PREFIX = ''\n{_read('prelude')}\n{lua}"
    return _WORDS.sub(lambda word: repr((NAMES | NUMBERS)[word[1]]) if word[1] else word[0], body)


def _read(name: str) -> str:
    return (_folder / f"{name}.lua").read_text(encoding="utf-8")


ENQUEUE = load("enqueue")
CLAIM = load("claim")
FINISH = load("finish")
RENEW = load("renew")
RELEASE = load("release")
REVOKE = load("revoke")
READ = load("read")
FIRE = load("fire")
STEER = load("steer")
PROGRESS = load("progress")
FORGET = load("forget")
RESCHEDULE = load("reschedule")
LIMIT = load("set_limits")
RESUME = load("resume")
LEAVE = load("leave")
PAUSE = load("pause")
MEMBER_STATES = load("member_states")
FIND = load("find")
QUEUES = load("queues")
NOTE = load("note")
ASIDE = load("aside")
ALONE = load("alone")

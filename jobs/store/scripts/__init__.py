"""The Lua scripts: one file each, whose first comment states what it guarantees."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from ..keys import NAMES, NUMBERS, Keys

_TEXTS = {
    file.name: file.read_text(encoding="utf-8") for file in files(__name__).iterdir() if file.name.endswith(".lua")
}
"""All are read at once: while this process runs, an upgrade may put those of another release there."""
_WORDS = re.compile(rf"--.*|'[^'\n]*'|\b({'|'.join(NAMES | NUMBERS)})\b")  # Comments and texts, or a constant.


@dataclass(frozen=True)
class Script:
    """`<name>.lua` with all that it needs before it, put together when it is first used: most processes use a few.

    A line `-- include: one, other` brings in one.lua and other.lua; `-- flags: allow-oom` becomes the script's shebang.
    """

    name: str
    has_prefix: bool = False  # Is it for applications that have a prefix?

    @cached_property
    def text(self) -> bytes:
        """What EVAL needs when the server has forgotten it."""
        own = _TEXTS[f"{self.name}.lua"]
        flags = re.search(r"^-- flags: (.+)$", own, re.MULTILINE)
        shebang = f"#!lua flags={flags[1]}\n" if flags else ""
        included = re.sub(
            r"^-- include: (.+)$", lambda line: "\n".join(_TEXTS[f"{name}.lua"] for name in line[1].split(", ")), own,
            flags=re.MULTILINE,
        )  # fmt: skip
        return (shebang + (whole if self.has_prefix else without_prefix)(included)).encode()

    @cached_property
    def sha(self) -> bytes:
        """What EVALSHA needs."""
        return hashlib.sha1(self.text).hexdigest().encode()

    @cached_property
    def prefixed(self) -> "Script":
        """The same for applications that have a prefix."""
        return Script(self.name, has_prefix=True)


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


ENQUEUE = Script("enqueue")
CLAIM = Script("claim")
FINISH = Script("finish")
RENEW = Script("renew")
RELEASE = Script("release")
REVOKE = Script("revoke")
READ = Script("read")
FIRE = Script("fire")
STEER = Script("steer")
PROGRESS = Script("progress")
FORGET = Script("forget")
RESCHEDULE = Script("reschedule")
MOVE = Script("move")
BULK = Script("bulk")
LIMIT = Script("set_limits")
RESUME = Script("resume")
LEAVE = Script("leave")
PAUSE = Script("pause")
MEMBERS = Script("members")
FIND = Script("find")
QUEUES = Script("queues")
NOTE = Script("note")
ASIDE = Script("aside")
ALONE = Script("alone")
MARK = Script("mark")

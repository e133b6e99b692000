"""The Lua scripts: one file each, whose first comment states what it guarantees."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from jobs.keys import LUA_CONSTANTS

_folder = files(__name__)
_constants = "\n".join(f"local {name} = {value!r}" for name, value in LUA_CONSTANTS.items())


@dataclass(frozen=True)
class Script:
    """What EVALSHA needs, and the text that EVAL needs when the server has forgotten it."""

    name: str
    text: bytes
    sha: bytes


def load(name: str) -> Script:
    """Put the constants, the prelude and what it includes before `<name>.lua`.

    A line `-- include: other` brings in other.lua; `-- flags: allow-oom` becomes the script's shebang.
    """
    own = _read(name)
    flags = re.search(r"^-- flags: (.+)$", own, re.MULTILINE)
    shebang = f"#!lua flags={flags[1]}\n" if flags else ""
    included = re.sub(r"^-- include: (\w+)$", lambda line: _read(line[1]), own, flags=re.MULTILINE)
    text = f"{shebang}{_constants}\n{_read('prelude')}\n{included}".encode()
    return Script(name, text, hashlib.sha1(text).hexdigest().encode())


def _read(name: str) -> str:
    return (_folder / f"{name}.lua").read_text(encoding="utf-8")


ENQUEUE = load("enqueue")
CLAIM = load("claim")
FINISH = load("finish")
RENEW = load("renew")
HANDBACK = load("handback")
REVOKE = load("revoke")
READ = load("read")
FIRE = load("fire")
STEER = load("steer")
PROGRESS = load("progress")
FORGET = load("forget")
RESCHEDULE = load("reschedule")
LIMIT = load("limit")
RESUME = load("resume")
LEAVE = load("leave")
PAUSE = load("pause")
MEMBER_STATES = load("member_states")
FIND = load("find")
QUEUES = load("queues")
NOTE = load("note")
ASIDE = load("aside")
ALONE = load("alone")

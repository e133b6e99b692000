"""The Lua scripts: each says what it guarantees, and the server takes each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from redis.asyncio import Redis

from jobs.store import scripts
from jobs.store.keys import NAMES, NUMBERS
from jobs.store.scripts import Name, script

FOLDER = Path(scripts.__file__).parent
FILES = sorted(FOLDER.glob("*.lua"))
LOADED: tuple[Name, ...] = get_args(Name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_comment_says_what_the_script_guarantees(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]

    assert first.startswith("-- ")
    assert len(first.split()) > 5


@pytest.mark.parametrize("name", LOADED)
async def test_the_server_takes_the_script_under_the_name_we_call_it_by(redis: Redis, name: Name) -> None:
    for one in (script(name), script(name, has_prefix=True)):
        assert (await redis.script_load(one.text)).encode() == one.sha


def test_every_file_is_a_script_or_part_of_one() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    included = {name for line in re.findall(r"^-- include: (.+)$", text, re.MULTILINE) for name in line.split(", ")}

    assert {path.stem for path in FILES} == {*LOADED} | included | {"prelude"}


@pytest.mark.parametrize("name", LOADED)
def test_what_ends_or_frees_something_runs_when_memory_is_short(name: Name) -> None:
    stores = {
        "enqueue",
        "claim",
        "fire",
        "due",
        "put",
        "declare",
        "steer",
        "read",
        "progress",
        "set_limits",
        "reschedule",
        "child",
        "send_event",
        "fork",
    }
    stores |= {"forget", "resume", "move", "bulk"}
    only_read = {"waiting", "members", "find", "queues", "steps"}
    if name not in stores | only_read:
        assert b"flags=allow-oom" in script(name).text.splitlines()[0]


def test_no_script_asks_for_all_keys_or_another_clock() -> None:
    for name in LOADED:
        assert b"'KEYS'" not in script(name).text
        assert b"os.time" not in script(name).text


@pytest.mark.parametrize("name", LOADED)
def test_a_script_writes_no_name_of_a_key_and_gets_the_constants_that_it_uses(name: Name) -> None:
    constants, own = script(name, has_prefix=True).text.decode().split("local PREFIX = KEYS[1]")
    given = set(re.findall(r"^local ([A-Z_]+) = ", constants, re.MULTILINE))
    code = re.sub(r"--.*|'[^'\n]*'", "", own.split(" end\n", 1)[1])
    used = {name for name in NAMES | NUMBERS if re.search(rf"\b{name}\b", code)}

    assert not re.search(r"""['"](jobs|arq):""", own)
    assert given == used
    without = re.sub(r"--.*|'[^'\n]*'", "", script(name).text.decode())
    assert not any(re.search(rf"\b{name}\b", without) for name in used)


async def test_every_name_in_a_script_begins_with_its_prefix(redis: Redis) -> None:
    lua = f"return {{ {', '.join(NAMES)}, queue_key('mail'), queue_key('=own'), queue_key('=jobs:x') }}"
    queues = ["arq:queue:mail", "own", "arq:queue:=jobs:x"]

    for prefix, whole in (("", scripts.without_prefix), ("", scripts.whole), ("{shop}:", scripts.whole)):
        answer = await redis.eval(whole(lua), 1, f"{prefix}jobs:")
        assert [raw.decode() for raw in answer] == [f"{prefix}{value}" for value in (*NAMES.values(), *queues)]

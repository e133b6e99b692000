"""No terminal obeys what others wrote, and no log has a second line of it: every command, prompts, both log formats."""

from __future__ import annotations

import json
import logging
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import JsonLines, PrintableRecords, Signature, group
from jobs.client.connection import JobsRedis
from jobs.commands import commands
from jobs.store.call import Call
from jobs.store.keys import Keys
from jobs.values.untrusted_text import printable, printable_json
from jobs.workflows.stored_tree import from_dict
from tests.jobs.commands.conftest import Cli, StartOnline
from tests.jobs.commands.listening import Listener
from tests.jobs.worker import tasks
from tests.waiting import wait_until

EVIL = "a\x1b[2J\u009b31m\u202eb\r\n\u2028c\x00\x7f\U000e0041d"
KNOWN = "1" * 32


@pytest.fixture
async def evil(connection: JobsRedis, start_online: StartOnline) -> str:
    """EVIL wherever a name, an id or a text may come from; returns the id of a failed job with EVIL in its error."""
    worker = await start_online()
    payload = connection.encode_call(EVIL, (), {})
    await connection.enqueue([Call(EVIL, EVIL, payload, EVIL), Call(EVIL + "2", EVIL, payload, EVIL, due="+60000")])
    await connection.hset(Keys.SCHEDULE + EVIL, mapping={"task": EVIL, "when": EVIL, "queue": EVIL})  # type: ignore[misc]
    await connection.sadd(Keys.SCHEDULES, EVIL)  # type: ignore[misc]
    hostile = from_dict({**Signature(EVIL).to_dict(), "options": {"queue": EVIL}})  # as only another producer writes it
    await group([hostile, tasks.log.s(1)]).apply_async(task_id=KNOWN)
    failed = await tasks.fail.delay(EVIL)
    await failed.get(timeout=10, propagate=False)
    await wait_until(lambda: f"{failed.id}:tests.fail failed" in worker.text, "the line of its failure")
    assert_printable(worker.text)
    return failed.id


def assert_printable(text: str) -> None:
    assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert not re.search(r"b\nc[^0-9a-f]", text)  # an id on the next line may begin with c


def asked(failed: str) -> dict[str, list[list[str]]]:
    """Each command, with what shows something; a new command without a row fails the test."""
    inspect = ["active", "scheduled", "reserved", "registered", "revoked", "stats", "ping", "conf", "queued"]
    return {
        "status": [[]],
        "inspect": [[what] for what in inspect],
        "result": [[failed], [failed, "--traceback"], [EVIL], [KNOWN]],
        "why": [[EVIL], [EVIL + "2"], [failed]],
        "call": [["tests.log", "--queue", EVIL], [EVIL]],
        "purge": [["-f", "-Q", EVIL]],
        "control": [["revoke", EVIL], ["pause", EVIL], ["resume", EVIL], ["rate_limit", EVIL, EVIL], ["quiet", EVIL]],
        "retry": [[EVIL], [failed], ["--where", "task:tests.fail", "--dry-run"], ["--where", EVIL, "-f"]],
        "move": [["--to", EVIL, "--where", EVIL], ["--to", "x", "--where", "task:tests.fail"]],
        "limits": [["tests.fail"], ["tests.fail", "5", "-k", EVIL], ["x", EVIL], [EVIL, "pause"]],
        "schedules": [[]],
        "workflows": [[], [KNOWN], [EVIL]],
        "steps": [[EVIL], [failed], [EVIL, "--run-from", EVIL]],
        "awaiting": [[]],
        "event": [[EVIL, EVIL], [failed, "approval", "--note", EVIL]],
        "jobs": [[], [EVIL], ["task:tests.fail"]],
        "errors": [[], ["--state", "all"], [EVIL]],
        "queues": [[]],
        "tasks": [[], ["--sort", "time"]],
        "versions": [[], [EVIL]],
        "monitor": [],  # shows nothing of others
        "events": [],  # below: it does not end by itself
        "worker": [],  # shows nothing of others
    }


async def test_no_command_passes_on_what_a_terminal_obeys(cli: Cli, evil: str) -> None:
    table = asked(evil)
    assert table.keys() == commands.commands.keys()
    shown = 0

    for name, forms in table.items():
        for words in forms:
            for form in ([], ["--json"]):
                said = await cli(name, *form, "--", *words) if name == "why" else await cli(name, *words, *form)
                assert_printable(said.out)
                assert_printable(said.err)
                shown += "\\x1b[2J" in said.out or "\\u001b[2J" in said.out
    assert shown > 12


async def test_neither_does_a_prompt(evil: str, process: Cli) -> None:
    said = await process("purge", typed="n\n")

    assert "\\x1b[2J" in said.err
    assert_printable(said.err + said.out)


async def test_nor_does_an_event(listener: Listener, connection: JobsRedis) -> None:
    await connection.enqueue([Call(EVIL, EVIL, connection.encode_call(EVIL, (), {}), EVIL)])

    await wait_until(lambda: listener.has(id=EVIL, task=EVIL, queue=EVIL), "the event")
    assert_printable(listener.log.read_text(encoding="utf-8"))


def lines_of(formatter: logging.Formatter, *said: object) -> str:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "job %s: %s", said, None)
    try:
        raise ValueError(EVIL)
    except ValueError:
        record.exc_info = sys.exc_info()
    assert PrintableRecords().filter(record)
    return formatter.format(record)


def test_both_forms_of_a_log_are_printable() -> None:
    text, line = (lines_of(logging.Formatter(), EVIL, ValueError(EVIL)), lines_of(JsonLines(), EVIL, ValueError(EVIL)))

    assert_printable(text)
    assert text.splitlines()[0] == f"job {printable(EVIL)}: {printable(EVIL)}"
    assert "Traceback" in text
    assert all(line.startswith("  ") for line in text.splitlines()[1:]), "none passes for a record"
    assert_printable(line)
    assert "\n" not in line
    assert json.loads(line)["exception"].startswith("Traceback")


@pytest.mark.parametrize(
    ("message", "args"),
    [
        (EVIL, ()),
        (ValueError(EVIL), ()),
        ("job %s", (EVIL,)),
        ("job %s", (ValueError(EVIL),)),
        ("job %(id)s", ({"id": EVIL},)),
        ("job %(id)s" + EVIL, ({"id": ValueError(EVIL)},)),
    ],
)
def test_whatever_way_a_message_quotes(message: object, args: tuple[object, ...]) -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, message, args, None)

    assert PrintableRecords().filter(record)

    first, *more = logging.Formatter().format(record).split("\n")
    assert "\\x1b[2J" in first
    for line in (first, *more):
        assert_printable(line)
    assert all(line.startswith("  ") for line in more)


WRONG = [
    [EVIL],
    [f"--{EVIL}"],
    ["status", EVIL],
    ["inspect", EVIL],
    ["schedules", "list", "x", EVIL],
    ["--redis-url-file", EVIL, "status"],
]


@pytest.mark.parametrize("words", WRONG, ids=range(len(WRONG)))
async def test_nor_does_an_error_about_what_was_typed(cli: Cli, words: list[str]) -> None:
    answer = await cli(*(word.replace("\0", "") for word in words))

    assert answer.code == 64
    assert "\\x1b[2J" in answer.err
    assert_printable(answer.err)


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_line_that_a_terminal_shows(text: str) -> None:
    shown = printable(text)

    assert shown.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert shown == text or not text.isprintable()
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text


def test_words_of_any_language_stay_as_they_are() -> None:
    for text in ("نمی‌خواهم", "क्‍ष", "👩‍👩‍👧", "早上好", "é"):
        assert printable(text) == text

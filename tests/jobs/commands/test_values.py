"""Whatever is typed: every command and every option answers with a sentence and 64, never with a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from redis.asyncio import Redis

from jobs.client.connection import JobsRedis
from jobs.commands import commands
from tests.jobs.commands.conftest import Cli

NO_NUMBER = ["", "x", "nan", "inf", "-inf", "1e300", "9" * 400, "5 s", "0x10", "1_0_", "٣s"]
NO_COUNT = ["", "x", "nan", "0", "-1", "1.5", "9" * 30, "9" * 5000, "100001"]
NO_NAMES = ["", ",", " , ", " "]
NO_TIME = ["", "x", "now", "2026-13-01", "0001-01-01", "5", "9999-99-99", "2026-12-24T18:00+99:00"]
NO_JSON = ["", "x", "5", '"x"', "null", "[", "[" * 100_000, '["\\ud800"]', f"[{'9' * 400}]", "[" * 200 + "]" * 200]
NO_APP = ["", "x", "no.such", "os.path", "1.2", "..", "a b.c", "json.decoder.JSONDecoder", "broken_settings.Settings"]
WRONG = {
    "app": NO_APP,
    "actor": [],
    "redis_url": ["", "x", "http://x", "redis://[", "redis://host:port", "redis://h:99999999"],
    "redis_url_file": ["/nonexistent", "/"],
    "timeout": [*NO_NUMBER, "-1"],
    "destination": NO_NAMES,
    "queues": NO_NAMES,
    "limit": NO_COUNT,
    "args": [*NO_JSON, "{}"],
    "kwargs": [*[text.replace("[", '{"a":') for text in NO_JSON if "[" not in text], "[]", '{"a":' * 100_000],
    "countdown": [*NO_NUMBER, "-1"],
    "eta": NO_TIME,
    "expires": [*NO_NUMBER, "-1", "0"],
    "queue": ["", "a,b", "a\nb", "x" * 1000],
    "task": ["", "a,b", "a\nb", "x" * 1000],
    "action": ["", "x", "ACTIVE"],
    "when": ["", "x", "@daily"],
    "timezone": ["", "x"],
    "job_id": [],
    "workflow_id": [],
    "words": [],
    "settings": [],
    "error_id": [],
    "version": [],
    "text": [],
    "host": [],
    "trace_url": [],
    "to": [],
    "changes": [],
    "state": [],
    "sort": ["", "x"],
    "since": ["", "x", "now", '1h" task:"x', "1h task:x", "25:00"],
    "until": NO_TIME,
    "name": [],
    "above": ["", "x", "-1"],
    "port": ["", "x", "0", "65536"],
    "where": ["took:>2 parsecs"],
    "rate": ["x", "5/d"],
    "field": [],
    "key": ["x", "a=1,b"],
    "value": ["", "x", "[", "[" * 100_000],
    "note": [],
    "processes": ["", "x", "0", "-1", "1.5", "1001"],
}
"""By parameter: values that are refused. Ids may be any text, as stock producers give any."""
OF_A_COMMAND = {("limits", "limit"): [""]}  # Others are refused after they were noted in the audit log.
FLAGS = {"as_json", "quiet", "with_traceback", "force", "scheduled", "terminate", "dry_run", "longest"}
ARGUMENTS = {
    "action": {"inspect": "queued", "control": "pause", "schedules": "list"},
    "task": {"call": "tests.multiply"},
}
ANY_TEXT = [
    "",
    " ",
    "x" * 100_000,
    "a\nb",
    "\x00",
    "\x1b[2J",
    "💥",
    "%s{}",
    "-",
    "--",
    "-1",
    "../..",
    "nan",
    "=jobs:tasks",
]


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    for parameter in commands.params:
        yield "", parameter
    for name, command in commands.commands.items():
        for parameter in command.params:
            yield name, parameter


def test_every_parameter_has_a_row() -> None:
    assert {str(p.name) for _, p in parameters()} == WRONG.keys() | FLAGS


def words_for(command: str, parameter: click.Parameter, value: str) -> list[str]:
    """A call of the command that is right but for this value."""
    if not command:
        return [f"{parameter.opts[-1]}={value}", "schedules"]
    own = commands.commands[command].params
    words = [command]
    for other in own:
        if isinstance(other, click.Option):
            continue
        given = value if other is parameter else ARGUMENTS.get(str(other.name), {}).get(command, "x")
        words += ["--", given] if given.startswith("-") else [given]
    if isinstance(parameter, click.Option):
        words[1:1] = [f"{parameter.opts[-1]}={value}"]
    return words


@pytest.fixture
def settings_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_settings.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("settings_that_fail")
async def test_a_wrong_value_is_a_sentence_and_64(cli: Cli, redis: Redis, connection: JobsRedis) -> None:
    for command, parameter in parameters():
        name = str(parameter.name)
        for value in OF_A_COMMAND.get((command, name), WRONG.get(name, [])):
            words = words_for(command, parameter, value)
            said = await cli(*words)
            assert said.code == 64, (words[:3], said)
            assert "Traceback" not in said.err
            assert said.out == ""
            assert 10 < len(said.err) < 1500 + min(len(value), 5_000)

    assert await redis.dbsize() == 0


async def test_any_text_is_answered(cli: Cli) -> None:
    for name, command in commands.commands.items():
        if name in ("events", "monitor"):  # they do not end by themselves
            continue
        for parameter in command.params:
            if str(parameter.name) in FLAGS | {"timeout"}:
                continue
            for value in ANY_TEXT:
                said = await cli(*words_for(name, parameter, value))
                assert said.code in (0, 1, 64, 69), (name, parameter.name, value[:20])
                assert "Traceback" not in said.err
    for words in (["control", "revoke", ""], ["control", "rate_limit", "", "5/s"], ["control", "rate_limit", "t", "x"],
                  ["control", "rate_limit", "t"], ["control", "pause"], ["control", "resume", " "],
                  ["control", "quiet", "w"], ["control", "pause", "q", "--terminate"]):  # fmt: skip
        assert (await cli(*words)).code == 64, words


async def test_what_is_no_utf_8_is_said(cli: Cli, process: Cli) -> None:
    for run, words in ((cli, ["call", "\udcff"]), (cli, ["\udcff"]), (cli, ["inspect", "queued", "-Q", "\udcff"]),
                       (process, ["result", "\udcff"])):  # fmt: skip
        said = await run(*words)
        assert said.code == 64
        assert "is not UTF-8" in said.err
        assert "Traceback" not in said.err

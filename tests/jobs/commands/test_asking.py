"""What all commands have in common: whom they ask, how they answer, how they end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jobs.client.connection import JobsRedis
from jobs.commands import commands
from jobs.store.call import Call
from jobs.store.keys import Keys
from tests.documents import as_in_the_clone
from tests.jobs.commands.conftest import Cli, StartOnline
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT

APP = "tests.jobs.worker.tasks.WorkerSettings"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command"),
        (["status", "--nonsense"], "No such option"),
        (["inspect", "nonsense"], "is not one of"),
        (["result"], "Missing argument"),
        (["call", "tests.log", "--args", "{"], "write it as JSON, like '[4, 4]'"),
        (["call", "tests.log", "--args", "{}"], "write it as JSON, like '[4, 4]'"),
        (["call", "tests.log", "--eta", "soon"], "write it like 2026"),
        (["call", "tests.log", "--eta", "2030-01-01", "--countdown", "1"], "not both"),
        (["call", "tests.multiply", "--args", "[1]"], "missing a required argument: 'y'"),
        (["control", "revoke"], "give the ids of jobs"),
        (["control", "pause"], "give queues"),
        (["control", "pause", "x", "--terminate"], "goes with revoke"),
        (["control", "rate_limit", "tests.log"], "give a task and its rate"),
        (["control", "rate_limit", "tests.log", "often"], "rate_limit='often'"),
        (["control", "quiet", "x"], "name workers with -d"),
        (["status", "-A", "x.WorkerSettings"], "'-A'. Write it before the command: python -m jobs -A ..."),
        (["call", "--redis-url", "redis://x"], "Write it before the command: python -m jobs --redis-url ..."),
        (["status", "--app-url", "x"], "No such option '--app-url'.\n"),
    ],
)
async def test_wrong_usage_ends_with_64(cli: Cli, words: list[str], said: str) -> None:
    answer = await cli(*words)

    assert answer.code == 64
    assert said in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    "words", [["status"], ["inspect", "ping"], ["inspect", "stats"], ["inspect", "active"], ["control", "quiet"]]
)
async def test_nobody_answers_is_69(cli: Cli, words: list[str]) -> None:
    answer = await cli(*words, "--json")

    assert (answer.code, answer.out) == (69, "")
    assert "no worker answers" in answer.err


async def test_a_redis_that_is_not_there_is_69(process: Cli, tmp_path: Path) -> None:
    answer = await process("--redis-url", f"unix://{tmp_path}/none.sock", "status", "-t", "1")

    assert answer.code == 69
    assert "Redis does not answer" in answer.err
    assert "Traceback" not in answer.err


async def test_the_app_gives_address_queues_and_tasks(process: Cli) -> None:
    called = await process("-A", APP, "call", "tests.log", "-a", '["hello"]')
    waiting = await process("-A", APP, "inspect", "queued")

    assert called.code == 0
    assert called.err == ""
    assert called.lines[0] in waiting.out
    assert "tests.log('hello')" in waiting.out


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("tests.nowhere.WorkerSettings", "cannot be imported"),
        ("tests.jobs.worker.tasks.Nothing", "cannot be imported"),
        ("tests.jobs.worker.tasks.ROOT", "cannot be imported"),
        ("tests.jobs.worker.tasks.multiply", "not made by worker_settings()"),
        ("nonsense", "cannot be imported"),
    ],
)
async def test_an_app_that_is_none_is_wrong_usage(cli: Cli, app: str, said: str) -> None:
    answer = await cli("-A", app, "status")

    assert answer.code == 64
    assert said in answer.err


@pytest.mark.parametrize(("module", "folder"), [("billing_alone", ""), ("billing_app.worker", "billing_app")])
async def test_of_a_module_its_settings_are_named(cli: Cli, tmp_path: Path, module: str, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    source = "from jobs import worker_settings as made\nWorkerSettings = made(redis_url='redis://x')\n"
    (tmp_path / f"{module.replace('.', '/')}.py").write_text(source)
    sys.path.insert(0, str(tmp_path))
    try:
        answer = await cli("-A", module, "status")
    finally:
        sys.path.remove(str(tmp_path))

    assert answer.code == 64
    assert f"{module} is a module: give {module}.WorkerSettings\n" in answer.err


async def test_the_site_is_the_default_app(process: Cli, tmp_path: Path) -> None:
    """It says by itself that its Redis is not running."""
    answer = await process("status", redis_url=None, DATA_DIR=str(tmp_path))

    assert answer.code == 69
    assert "start `make run`" in answer.err


async def test_only_the_workers_named_are_asked(cli: Cli, start_online: StartOnline) -> None:
    await start_online()
    await start_online()
    first, second = (worker["name"] for worker in (await cli("status", "--json")).json)

    assert (await cli("inspect", "ping", "-d", first)).lines == [f"{first}: pong"]
    assert (await cli("inspect", "ping", "-d", f"{first},{second}", "--json")).json == {first: "pong", second: "pong"}
    missing = await cli("inspect", "ping", "-d", f"{first},nobody")
    assert missing.code == 69
    assert "nobody" in missing.err


async def test_text_stays_in_its_own_characters_and_controls_no_terminal(process: Cli, connection: JobsRedis) -> None:
    payload = connection.encode_call("evil\x1b[2J", ("提醒 🔔",), {})
    await connection.enqueue([Call("中文", "default", payload, "evil\x1b[2J")])

    text = await process("--redis-url", str(connection.connection_pool.connection_kwargs["path"]).join(["unix://", ""]),
                         "inspect", "queued", PYTHONIOENCODING="ascii")  # fmt: skip
    as_json = await process("-A", APP, "inspect", "queued", "--json")

    assert "\x1b" not in text.out
    assert "中文" in text.out
    assert "提醒 🔔" in text.out
    assert as_json.json[0]["args"] == ["提醒 🔔"]
    assert "提醒 🔔" in as_json.out


async def test_quiet_leaves_out_the_summary(cli: Cli, start_online: StartOnline) -> None:
    await start_online()

    assert len((await cli("status")).lines) == 2
    assert len((await cli("status", "-q")).lines) == 1


async def test_commands_scan_nothing(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    result = await tasks.log.apply_async(("x",), countdown=60)
    await connection.config_resetstat()

    for words in ["status", "inspect active", "inspect queued", "inspect scheduled", "inspect reserved",
                  "inspect revoked",
                  "inspect registered", "inspect stats", "inspect conf", "inspect ping", f"why {result.id}",
                  f"result {result.id}", "workflows", "purge -f"]:  # fmt: skip
        await cli(*words.split())

    commands_used = await connection.info("commandstats")
    assert not {"cmdstat_keys", "cmdstat_scan"} & commands_used.keys()
    assert "cmdstat_hmget" in commands_used


def test_every_command_has_its_short_row_in_docs() -> None:
    rows = {}
    for line in as_in_the_clone(ROOT / "docs" / "monitoring.md").splitlines():
        if line.startswith("| `python -m jobs "):
            command, text = (cell.strip() for cell in line.strip("|").split(" | ", 1))
            rows[command.strip("`").split()[3]] = text

    assert rows.keys() == commands.commands.keys()
    for text in rows.values():
        assert 5 <= len(text.split()) <= 17, text


async def test_the_clock_of_redis_is_the_clock(cli: Cli, connection: JobsRedis) -> None:
    result = await tasks.log.apply_async(("x",), countdown=3600)

    assert result.id not in (await cli("inspect", "queued")).out
    await connection.set(Keys.CLOCK, 3601_000)
    assert result.id in (await cli("inspect", "queued")).out


async def test_an_address_with_a_password_needs_no_command_line(process: Cli, redis_url: str, tmp_path: Path) -> None:
    """The command line shows in the list of processes: a file, a pipe or the environment does not."""
    (tmp_path / "url").write_text(f"{redis_url}\n")
    (tmp_path / "jobs").symlink_to(ROOT / "jobs")  # and no worker.py beside it

    for answer in (
        await process("--redis-url-file", str(tmp_path / "url"), "inspect", "queued", redis_url=None),
        await process("--redis-url-file", "-", "inspect", "queued", typed=redis_url, redis_url=None),
        await process("inspect", "queued", cwd=str(tmp_path)),
    ):
        assert (answer.code, answer.err) == (0, "")
    both = await process("--redis-url-file", "-", "--redis-url", redis_url, "status")
    assert both.code == 64


@pytest.mark.parametrize("how", ["--redis-url", "--redis-url-file", "REDIS_URL"])
async def test_an_address_that_is_none_is_wrong_usage(process: Cli, how: str, tmp_path: Path) -> None:
    bad = "redis://:hush#1@localhost"
    (tmp_path / "jobs").symlink_to(ROOT / "jobs")
    if how == "REDIS_URL":
        answer = await process("status", redis_url=bad, cwd=str(tmp_path))
    elif how == "--redis-url":
        answer = await process("--redis-url", bad, "status")
    else:
        answer = await process("--redis-url-file", "-", "status", typed=bad)

    assert answer.code == 64
    assert "the Redis URL 'redis://***'" in answer.err
    assert "hush" not in answer.err
    assert "Traceback" not in answer.err

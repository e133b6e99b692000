"""What the site writes is for its user alone, whichever of its programs writes it, and whatever was there before."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.embedded.processes import StartError
from app.embedded.supervisor import supervise
from app.private_files import close_to_others, own_settings
from settings import ROOT, Settings, SettingsError
from tests.app.running_site import RunningSite, environment
from tests.waiting import wait_until

KEY = "0123456789abcdef0123456789abcdef"
TOO_SHORT = "holds no key of 16 characters or more: delete it, and a new one is made"
INSIDE = re.compile(r"/(mail|redis)/.*(\.eml|\.log)$")
"""Files of an earlier version in folders that nobody else can enter any more."""


def open_to_others(folder: Path) -> list[str]:
    """Every file, folder and socket that somebody else could read, write or enter, with its mode."""
    found = []
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # SQLite has removed it meanwhile
            found.append((path.lstat().st_mode, path))
    return [f"{stat.S_IMODE(mode):o} {path}" for mode, path in found if mode & 0o077]


def a_folder_from_before(folder: Path) -> Path:
    """As an earlier version, or somebody's mkdir, has left it."""
    for name in ("", "mail", "redis"):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
    for name in ("site.db", "run.lock", "mail/1.eml", "redis/redis.log"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    (folder / "secret_key").touch(mode=0o600)
    (folder / "secret_key").write_text(KEY)
    return folder


def run(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A program of the site, started under the umask that most people have."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        umask=0o022,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


@pytest.mark.parametrize("command", ["app.accounts", "app.shell"])
def test_a_program_that_ends_leaves_nothing_open(tmp_path: Path, redis_url: str, command: str) -> None:
    folder = a_folder_from_before(tmp_path / "var")

    run(folder, *command.split(), REDIS_URL=redis_url)

    assert not [path for path in open_to_others(folder) if INSIDE.search(path) is None]


async def test_nothing_of_a_running_site_is_open(tmp_path: Path) -> None:
    """Servers, sockets, database, mails; and what an earlier version wrote, inside folders that are closed now."""
    folder = a_folder_from_before(tmp_path / "var")
    before = os.umask(0o022)
    site = RunningSite(folder)
    try:
        await site.start()
        expected = {"smtp.sock", "redis.sock", "inbox_key", "run.lock", "site.db-wal", "site.db-shm"}
        await wait_until(lambda: expected <= {path.name for path in folder.iterdir()}, "all files to be there")
        assert not [path for path in open_to_others(folder) if INSIDE.search(path) is None]
    finally:
        os.umask(before)
        site.kill_all()


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("", 0o600, TOO_SHORT),
        (" \n", 0o600, TOO_SHORT),
        ("only 15 letters", 0o600, TOO_SHORT),
        (KEY, 0o644, "can be read by others (mode 644): delete it, and a new one is made, or chmod 600 it"),
        (KEY, 0o640, "can be read by others (mode 640): delete it, and a new one is made, or chmod 600 it"),
        (KEY, 0o602, "can be read by others (mode 602): delete it, and a new one is made, or chmod 600 it"),
    ],
)
def test_a_secret_key_that_is_none_is_refused(tmp_path: Path, content: str, mode: int, sentence: str) -> None:
    file = tmp_path / "secret_key"
    file.write_text(content)
    file.chmod(mode)

    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"DATA_DIR": str(tmp_path)})

    assert str(refused.value) == f"{file} {sentence}"


@pytest.mark.parametrize("command", ["app.embedded"])
def test_its_refusal_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "secret_key").touch(mode=0o600)

    ended = run(tmp_path, *command.split())

    assert (ended.returncode, ended.stderr) == (1, f"{tmp_path}/secret_key {TOO_SHORT}\n")


def test_every_program_takes_its_settings_with_its_files_closed() -> None:
    """`tests/test_layers.py` lets nothing else read the environment. What reads posts and pictures writes no file."""
    for path in [ROOT / "worker.py", *(ROOT / "app").rglob("*.py")]:
        text = path.read_text()
        if '__name__ == "__main__"' in text and "blog" not in path.parts:
            assert "own_settings()" in text, path


def test_a_folder_for_everybody_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    settings = Settings(data_dir=tmp_path, secret_key=KEY)

    with pytest.raises(SettingsError, match="is a folder for everybody: set DATA_DIR to a folder of its own"):
        close_to_others(settings)


def test_a_folder_that_keeps_nothing_stays_as_it_is(tmp_path: Path) -> None:
    """Of a site whose database, Redis and mail server are elsewhere."""
    elsewhere = {"redis_url": "redis://r", "database_url": "postgresql://p/s", "smtp_server": "m"}
    tmp_path.chmod(0o755)

    close_to_others(Settings(data_dir=tmp_path, secret_key=KEY, smtp_from="a@b.org", **elsewhere))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_database_elsewhere_is_closed_and_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, file, other = tmp_path / "var", tmp_path / "my.db", tmp_path / "other"
    file.touch(mode=0o644)
    other.touch(mode=0o644)
    folder.mkdir()
    (folder / "site.db").symlink_to(other)

    close_to_others(Settings(data_dir=folder, secret_key=KEY, database_url=f"sqlite+aiosqlite:///{file}"))

    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file, other)] == [0o700, 0o600, 0o644]


def test_a_database_behind_a_link_is_closed_with_its_log(tmp_path: Path) -> None:
    folder, files = tmp_path / "var", [tmp_path / f"real.db{end}" for end in ("", "-wal", "-shm")]
    for file in files:
        file.touch(mode=0o644)
    folder.mkdir()
    (folder / "site.db").symlink_to(files[0])

    close_to_others(Settings(data_dir=folder, secret_key=KEY))

    assert open_to_others(tmp_path / "var") in ([], [f"777 {folder}/site.db"])
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


@pytest.mark.parametrize("secret", ["", KEY], ids=["no key", "a key"])
@pytest.mark.parametrize("below", ["", "x"])
def test_a_folder_that_cannot_be_one_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, secret: str
) -> None:
    """`make run` prints it, as above."""
    (tmp_path / "file").touch()
    for name, value in environment(tmp_path / "file" / below, SECRET_KEY=secret).items():
        monkeypatch.setenv(name, value)
    before = os.umask(0o022)
    try:
        with pytest.raises((SettingsError, StartError), match=r"set DATA_DIR to a folder of yours$") as refused:
            asyncio.run(supervise(own_settings()))
    finally:
        os.umask(before)
    assert "\n" not in str(refused.value)


def test_a_folder_of_others_is_not_closed(tmp_path: Path) -> None:
    """`DATA_DIR=/` or `/home`, by root, would lock everybody out."""
    (tmp_path / "alice").mkdir()
    tmp_path.chmod(0o755)

    with pytest.raises(SettingsError, match="holds 'alice', which is not the site's"):
        close_to_others(Settings.from_env({"DATA_DIR": str(tmp_path)}))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    (tmp_path / "site.db").touch()  # an earlier version has worked here
    close_to_others(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700

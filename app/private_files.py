"""Keep the site's files readable by this user only, including files that earlier versions wrote."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from settings import Settings, SettingsError

OTHERS = 0o077
NAMES = ("secret_key", "inbox_key", "run.lock", "mail", "pictures", "redis", "site.db", "site.db-wal", "site.db-shm")
"""The site's files in DATA_DIR."""
WORKED = {"mail", "redis", "site.db"}
"""A data folder in use holds at least one of them."""

_UNUSABLE = "{} cannot be used ({}): set DATA_DIR to a folder of yours"


def own_settings() -> Settings:
    """The settings of this process. Afterwards all its new files, folders and sockets are private to its user.

    Raises SettingsError, also if others can read existing files and their permissions cannot be changed.
    """
    os.umask(OTHERS)
    settings = Settings.from_env()
    close_to_others(settings)
    return settings


def close_to_others(settings: Settings) -> None:
    """Remove the permissions of other users from the data folder and the site's files."""
    if settings.data_dir.exists() and _is_used(settings):
        _refuse_shared(settings.data_dir)
        make_private(settings.data_dir, foreign=True)
    for path in _written(settings):
        _close(path)


def make_private(folder: Path, *, foreign: bool = False) -> None:
    """Make the folder, private to this user. Refuses a sticky folder, and another user's unless *foreign*."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise SettingsError(_UNUSABLE.format(folder, error.strerror)) from None
    if not stat.S_ISDIR(found.st_mode) or (found.st_uid != os.getuid() and not foreign):
        raise SettingsError(f"{folder} belongs to somebody else: remove it, or set DATA_DIR to a folder of yours")
    if found.st_mode & stat.S_ISVTX:
        raise SettingsError(f"{folder} is a folder for everybody: set DATA_DIR to a folder of its own")
    _close(folder)


def write_private(path: Path, content: str | bytes) -> None:
    """Write the file atomically, readable by this user only."""
    handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _refuse_shared(folder: Path) -> None:
    """Refuse a folder that others can open and that holds files of others, such as `/` or `/home`: it would be locked.

    Accepts a folder that the site has used before.
    """
    try:
        names = set(os.listdir(folder))
    except OSError as error:
        raise SettingsError(_UNUSABLE.format(folder, error.strerror)) from None
    known = {*NAMES, "redis.sock", "smtp.sock", "lost+found"}
    foreign = {name for name in names - known if not name.startswith(".")}
    if foreign and not names & WORKED and folder.stat().st_mode & OTHERS:
        raise SettingsError(
            f"{folder} holds {min(foreign)!r}, which is not the site's, and others can open it: set DATA_DIR to "
            "a folder of its own"
        )


def _is_used(settings: Settings) -> bool:
    """Whether the site stores, or will store, anything in the data folder."""
    in_it = (settings.data_dir / "secret_key").exists() or str(settings.data_dir) in settings.database_url
    return in_it or settings.embedded_mail or settings.embedded_redis


def _written(settings: Settings) -> Iterator[Path]:
    yield from (settings.data_dir / name for name in NAMES)
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        file = os.path.realpath(url.database)  # SQLite writes its log next to the real file
        yield from (Path(file + end) for end in ("", "-wal", "-shm"))


def _close(path: Path) -> None:
    mode = 0
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & OTHERS and not path.is_symlink():
            path.chmod(mode & ~OTHERS)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise SettingsError(
            f"{path} can be read by others (mode {mode:o}): take their permissions off it with chmod go-rwx"
            if mode
            else _UNUSABLE.format(path, error.strerror)
        ) from error

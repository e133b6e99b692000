"""Store pictures: a file in DATA_DIR/pictures and a row for each, within the limits of account and site."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Text, cast, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account, hold
from app.blog import limited
from app.blog.models import Post
from app.blog.pictures import encoding
from app.blog.pictures.models import Picture
from app.blog.unsaved.models import UnsavedText
from app.context import site
from app.private_files import make_private, write_private
from jobs.monitor_site.web.messages import Refused

NAME = re.compile(r"[0-9a-f]{32}\.(jpg|png)")
MOST, MOST_BYTES = 1_000, 500_000_000
"""Of one account. The site has room for twice as much."""
ORPHANED_S = 24 * 3600
UNKNOWN = "unknown"
"""The folder for files without a row, inside the folder of pictures."""
REFUSALS = {
    "not-a-picture": "This file is not a complete JPEG, PNG, GIF or WebP picture.",
    "too-many-pixels": "This picture has more than 50 million pixels. Make it smaller first.",
    "too-complex": "This picture takes too long to read. Save it anew in a program for pictures, and try again.",
}


class PictureRefused(Refused):
    """The picture cannot be stored. The message says why."""


@dataclass(frozen=True)
class NewPicture:
    """A picture, encoded and not stored yet."""

    name: str
    data: bytes
    width: int
    height: int
    moves: bool


async def read(data: bytes) -> NewPicture:
    """Check and encode what was sent, in a process of its own."""
    written = await limited.run(Path(encoding.__file__), data)
    line, _, encoded = (written or b'{"refused": "too-complex"}').partition(b"\n")
    known = json.loads(line)
    if code := known.get("refused"):
        raise PictureRefused(code, REFUSALS[code])
    name = f"{hashlib.sha256(encoded).hexdigest()[:32]}.{known['kind']}"
    return NewPicture(name, encoded, known["width"], known["height"], known["moves"])


async def add(db: AsyncSession, account: Account, new: NewPicture, alt: str) -> Picture:
    """Store the picture, or find the one that is the same. The file is there before its row is."""
    await hold(db, account)
    found: Picture | None = await db.scalar(select(Picture).where(Picture.name == new.name))
    if found is None:
        await _check_room(db, Picture.account_id == account.id, len(new.data), 1)
        await _check_room(db, true(), len(new.data), 2)
        size = {"width": new.width, "height": new.height, "size": len(new.data)}
        found = Picture(name=new.name, account_id=account.id, alt=alt, **size)
        db.add(found)
    found.alt = found.alt or alt
    names = set(await db.scalars(select(Picture.name)))
    await asyncio.to_thread(_write, folder(), new, names | {new.name})
    return found


async def remove(db: AsyncSession, account: Account, picture: Picture) -> None:
    """Delete the file and its row."""
    await hold(db, account)
    await db.delete(picture)
    await db.flush()
    (folder() / picture.name).unlink(missing_ok=True)


async def used_in(db: AsyncSession, picture: Picture) -> list[str]:
    """The titles of some posts that show it, and of texts that are not saved yet."""
    saved = select(Post.title).where(Post.text.contains(picture.name))
    unsaved = select(UnsavedText.typed).where(cast(UnsavedText.typed, Text).contains(picture.name))
    titles = [typed["title"] or "a post without a title" for typed in await db.scalars(unsaved.limit(5))]
    return [*await db.scalars(saved.limit(5)), *(f"{title} (not saved yet)" for title in titles)]


def folder() -> Path:
    return site().data_dir / "pictures"


async def _check_room(db: AsyncSession, whose: ColumnElement[bool], size: int, share: int) -> None:
    query = select(func.count(), func.coalesce(func.sum(Picture.size), 0)).select_from(Picture).where(whose)
    count, taken = (await db.execute(query)).one()
    if count >= share * MOST or taken + size > share * MOST_BYTES:
        raise PictureRefused("no-room", "There is no room for more pictures. Delete some that no post uses.")


def _write(folder: Path, new: NewPicture, names: Collection[str]) -> None:
    make_private(folder)
    write_private(folder / new.name, new.data)
    _put_aside(folder, {*names, UNKNOWN})


def _put_aside(folder: Path, names: Collection[str]) -> None:
    """Move what has no row: a process was killed, or this database is older than the files. Nothing is deleted."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another upload was faster
            if path.name not in names and time.time() - path.stat().st_mtime > ORPHANED_S:
                make_private(folder / UNKNOWN)
                path.rename(folder / UNKNOWN / path.name)

"""Posts to try the site with: the files in `samples/`. The first line of each is its title."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from app.blog.models import Post

FOLDER = Path(__file__).parent / "samples"
APART = timedelta(hours=20)


def posts(now: datetime) -> list[Post]:
    """All sample posts, with different publishing times: the first file is the newest, published at *now*."""
    return [_read(file, now - index * APART) for index, file in enumerate(sorted(FOLDER.glob("*.md")))]


def _read(file: Path, at: datetime) -> Post:
    title, _, text = file.read_text(encoding="utf-8").partition("\n")
    return Post(title=title.removeprefix("# "), text=text.strip() + "\n", published_at=at, edited_at=at)

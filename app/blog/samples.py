"""Posts to try the site with: the files in `samples/`, whose first line is the title."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from app.blog.models import Post

FOLDER = Path(__file__).parent / "samples"
APART = timedelta(hours=20)


def posts(now: datetime) -> list[Post]:
    """All of them, published one after the other, the first in the folder now."""
    return [_read(file, now - place * APART) for place, file in enumerate(sorted(FOLDER.glob("*.md")))]


def _read(file: Path, at: datetime) -> Post:
    title, _, text = file.read_text(encoding="utf-8").partition("\n")
    return Post(title=title.removeprefix("# "), text=text.strip() + "\n", published_at=at, edited_at=at)

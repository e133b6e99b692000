"""A picture that was uploaded for posts."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model

LONGEST_ALT = 300  # characters


def _now() -> datetime:
    return datetime.now(UTC)


class Picture(Model):
    """One file in the folder of pictures. Posts name it by its address, so it has no link to them."""

    __tablename__ = "picture"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    """Of the file: a hash of its content, so that equal pictures are one."""
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"), index=True)
    """Who uploaded it. None if that account was deleted: the posts stay, and so does the picture."""
    alt: Mapped[str] = mapped_column(String(LONGEST_ALT))
    """What it shows, for people who do not see it."""
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]
    """Bytes."""
    created_at: Mapped[datetime] = mapped_column(default=_now)

    def __repr__(self) -> str:
        return f"<Picture {self.name}>"

    def line(self, alt: str = "") -> str:
        """The line that shows it in a post, with the words of the row unless there are others for this post."""
        alt = "".join(f"\\{sign}" if sign in "\\[]" else sign for sign in alt or self.alt)
        return f"![{alt}](/pictures/{self.name})"

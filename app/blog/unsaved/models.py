"""The text of an editor that was not saved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model

LONGEST_TAB = 32  # characters


def _now() -> datetime:
    return datetime.now(UTC)


class UnsavedText(Model):
    """What one tab of an account's browser holds. Each opening of the editor has its own: none overwrites another."""

    __tablename__ = "unsaved_text"
    __table_args__ = (UniqueConstraint("account_id", "tab"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    tab: Mapped[str] = mapped_column(String(LONGEST_TAB))
    post_id: Mapped[int | None] = mapped_column(ForeignKey("post.id", ondelete="SET NULL"), index=True)
    """None for a new post, and for one that was deleted."""
    typed: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The fields of the form. Empty once the text was saved or discarded."""
    change: Mapped[int] = mapped_column(BigInteger)
    """The number of the tab's last change: what arrives late does not replace it."""
    typed_at: Mapped[datetime] = mapped_column(default=_now)
    ended_at: Mapped[datetime | None]
    """When the text was saved or discarded. The row stays for a day: a request on its way does not bring it back."""

    def __repr__(self) -> str:
        return f"<UnsavedText {self.id}>"

"""The series of a repeating reminder: its rule, and which of its reminders is the latest."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model
from app.reminders import repeat
from app.reminders.repeat import Repeat


class Series(Model):
    """A reminder that repeats. Each of its times is a `Reminder`; the next one is written once the latest one is over.

    `(series, slot)` is unique in the table of reminders, so no time is written twice.
    """

    __tablename__ = "reminder_series"
    __table_args__ = (Index("ix_reminder_series_slot", "stopped_at", "slot"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    text: Mapped[str] = mapped_column(Text)
    repeat: Mapped[str] = mapped_column(String(10))
    zone: Mapped[str] = mapped_column(String(64))
    start: Mapped[datetime]
    """Its first time, which gives the others their time of day, weekday and day of the month."""
    slot: Mapped[datetime]
    """The time of its latest reminder by the rule. The author may have moved that one reminder."""
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    stopped_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why it ended by itself: a sentence for its author."""

    def __repr__(self) -> str:
        return f"<Series {self.id} {self.repeat}>"

    @property
    def rule(self) -> str:
        """The rule in words."""
        return repeat.spelled(Repeat(self.repeat), self.start, ZoneInfo(self.zone))

    def following(self, after: datetime) -> datetime:
        """Its first time later than *after*."""
        return repeat.following(Repeat(self.repeat), self.start, ZoneInfo(self.zone), after)

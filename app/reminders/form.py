"""The form of a reminder: the values as typed, and an error for each field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from quart import request

from app import times
from app.accounts.links import parse_address
from app.context import site
from app.mail import AddressRefused
from app.reminders.models import LONGEST_TEXT
from jobs.monitor_site.web.messages import Message

UNMAILABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
QUICK = {"10s": timedelta(seconds=10), "1m": timedelta(minutes=1), "1h": timedelta(hours=1)}


@dataclass
class Form:
    """The values as typed, and an error message for each invalid field."""

    text: str = ""
    when: str = ""
    to: str = ""
    text_error: Message | None = None
    when_error: Message | None = None
    to_error: Message | None = None
    note: Message | None = None
    at: datetime | None = None
    email: str = ""
    """The parsed address in `to`. Empty if the field is empty."""

    @classmethod
    async def read(cls, zone: ZoneInfo) -> Form:
        """The form of this request. A quick button overrides the time field."""
        sent = await request.form
        form = cls(
            text=sent.get("text", "").replace("\r\n", "\n"),
            when=sent.get("when", "")[:100],
            to=sent.get("to", "")[:1000],
        )
        form._check_text()
        form._check_time(sent.get("in", ""), zone)
        form._check_address()
        return form

    @property
    def good(self) -> bool:
        return not (self.text_error or self.when_error or self.to_error)

    def _check_text(self) -> None:
        if not self.text.strip():
            self.text_error = Message("empty", "Enter the text of the reminder.")
        elif len(self.text) > LONGEST_TEXT:
            self.text_error = Message(
                "too-long", f"The text has {len(self.text):,} characters. The limit is {LONGEST_TEXT:,}."
            )
        elif UNMAILABLE.search(self.text):
            self.text_error = Message(
                "control-characters", "The text contains control characters, which email cannot carry. Remove them."
            )

    def _check_time(self, quick: str, zone: ZoneInfo) -> None:
        now = datetime.now(UTC)
        if quick in QUICK:
            self.at = now + QUICK[quick]
        elif quick == "tomorrow":
            self.at = times.tomorrow_morning(zone, now)
        else:
            try:
                moment = times.read(self.when, zone, now)
                self.at, self.note = moment.at, moment.note
            except times.NotATime as error:
                self.when_error = error.message

    def _check_address(self) -> None:
        if not self.to.strip(" "):
            return
        try:
            self.email = parse_address(self.to, site())
        except AddressRefused as error:
            self.to_error = error.message

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
from app.reminders import repeat_words
from app.reminders.models import LONGEST_TEXT
from app.reminders.repeat import Repeat, spelled
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message

MOST_WORDS = 100  # characters kept of the words
UNMAILABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
QUICK = {"10s": timedelta(seconds=10), "1m": timedelta(minutes=1), "1h": timedelta(hours=1)}
PRESETS = ("in 1 hour", "tomorrow 9:00", "next week", "next month")
"""Buttons that fill in the words, and save nothing."""
CHANGES = ("this and all later", "only this one")
TO_MY_ZONE = "this and all later, in my time zone"
"""The third change, of a series that keeps another zone."""
NO_WEEKDAY = Message("no-weekday", "That is a {}. Choose a weekday, or another repetition.")
THAT_IS = Message("read", "That is {}, {}.")
IT_REPEATS = Message("read", "Repeats {}, first on {}, {}.")


@dataclass
class Form:
    """The values as typed, and an error message for each invalid field."""

    text: str = ""
    words: str = ""
    """The time in quick words. They count once their date was shown: see `shown`."""
    when: str = ""
    to: str = ""
    repeat: Repeat = Repeat.NEVER
    only_this: bool = False
    """Whether to change one reminder of a series, and not the later ones."""
    to_my_zone: bool = False
    """Whether its series is to keep the zone of the account from now on."""
    text_error: Message | None = None
    repeat_error: Message | None = None
    words_error: Message | None = None
    when_error: Message | None = None
    to_error: Message | None = None
    note: Message | None = None
    shown: Message | None = None
    """What the words mean, if it was not shown before. Not saved before it was."""
    at: datetime | None = None
    email: str = ""
    """The parsed address in `to`. Empty if the field is empty."""

    @classmethod
    async def read(cls, zone: ZoneInfo) -> Form:
        """The form of this request. Words that are new fill the time field, and are shown before they count."""
        sent = await request.form
        form = cls(
            text=sent.get("text", "").replace("\r\n", "\n"),
            words=sent.get("words", "").strip()[:MOST_WORDS],
            when=sent.get("when", "")[:100],
            to=sent.get("to", "")[:1000],
            only_this=sent.get("change", "") == CHANGES[1],
            to_my_zone=sent.get("change", "") == TO_MY_ZONE,
        )
        if sent.get("repeat", "") in list(Repeat):
            form.repeat = Repeat(sent["repeat"])
        if sent.get("preset", "") in PRESETS:
            form.words = sent["preset"]
            form.read_words(zone)
            return form
        form._check_text()
        if form.words and form.words != sent.get("read", "").strip():
            form.read_words(zone)
            if form.words_error and sent.get("read"):
                form.when = ""  # the date of other words
        else:
            form._check_time(sent.get("in", ""), zone)
        form._check_repeat(zone)
        form._check_address()
        return form

    @property
    def good(self) -> bool:
        return not (self.text_error or self.words_error or self.when_error or self.repeat_error or self.to_error)

    @property
    def status(self) -> int:
        """What to answer with the form again: 400 for a mistake, 200 to show what the words mean. 0: save it."""
        return 400 if not self.good else 200 if self.shown else 0

    def read_words(self, zone: ZoneInfo) -> None:
        """Fill in the time that the words mean, and the repetition if they name one, and say it."""
        now = datetime.now(UTC)
        try:
            repeat, first = repeat_words.read(self.words, zone, now)
            when = first.isoformat().removesuffix(":00")
            moment = times.read(when, zone, now)
        except times.NotATime as error:
            self.words_error = error.message
        else:
            self.when, self.at, self.note = when, moment.at, moment.note
            self.repeat = self.repeat if repeat == Repeat.NEVER else repeat
            date = moments.spelled(self.at, zone), moments.distance(self.at, now)
            if self.repeat == Repeat.NEVER or self.only_this:
                self.shown = THAT_IS.format(*date)
            else:
                self.shown = IT_REPEATS.format(spelled(self.repeat, self.at, zone), *date)

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
        else:
            try:
                moment = times.read(self.when, zone, now)
                self.at, self.note = moment.at, moment.note
            except times.NotATime as error:
                self.when_error = error.message

    def _check_repeat(self, zone: ZoneInfo) -> None:
        if self.at is not None and self.repeat == Repeat.WEEKDAYS and self.at.astimezone(zone).weekday() > 4:
            self.when_error = NO_WEEKDAY.format(f"{self.at.astimezone(zone):%A}")

    def _check_address(self) -> None:
        if not self.to.strip(" "):
            return
        try:
            self.email = parse_address(self.to, site())
        except AddressRefused as error:
            self.to_error = error.message

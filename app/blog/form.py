"""The form of a post: the values as typed, and an error for each field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from quart import request

from app import times
from app.blog import markdown
from app.blog.models import LONGEST_TEXT, LONGEST_TITLE, Post
from app.blog.rendering import TextRefused, render
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message


@dataclass
class Form:
    """The values as typed, and an error message for each invalid field."""

    title: str = ""
    text: str = ""
    when: str = ""
    title_error: Message | None = None
    text_error: Message | None = None
    when_error: Message | None = None
    note: Message | None = None
    publish_at: datetime | None = None

    @classmethod
    async def read(cls, zone: ZoneInfo) -> Form:
        """The form of this request. The time field counts only with the button that schedules the post."""
        sent = await request.form
        form = cls(
            title=" ".join(markdown.printable(sent.get("title", "")).split()),
            text=markdown.printable(sent.get("text", "")),
            when=sent.get("when", "")[:100],
        )
        form._check_words()
        if not form.text_error:
            await form._render()
        if sent.get("do") == "now":
            form.publish_at = datetime.now(UTC)
        elif sent.get("do") == "then":
            form._check_time(zone)
        return form

    @classmethod
    def of(cls, post: Post, zone: ZoneInfo) -> Form:
        """The form of an existing post."""
        waits = post.published_at is not None and post.state == "waiting"
        when = moments.for_field(post.published_at, zone) if waits and post.published_at else ""
        return cls(post.title, post.text, when)

    @property
    def good(self) -> bool:
        return not (self.title_error or self.text_error or self.when_error)

    def _check_words(self) -> None:
        if not self.title:
            self.title_error = Message("no-title", "Enter a title.")
        elif len(self.title) > LONGEST_TITLE:
            self.title_error = Message(
                "title-too-long", f"The title has {len(self.title)} characters. The limit is {LONGEST_TITLE}."
            )
        if not self.text.strip():
            self.text_error = Message("empty", "Enter the text of the post.")
        elif len(self.text) > LONGEST_TEXT:
            self.text_error = Message(
                "too-long",
                f"The text has {len(self.text):,} characters. The limit is {LONGEST_TEXT:,}: shorten it, "
                "or split it into two posts.",
            )

    async def _render(self) -> None:
        try:
            self.text = await render(self.text)
        except TextRefused as error:
            self.text_error = error.message

    def _check_time(self, zone: ZoneInfo) -> None:
        try:
            moment = times.read(self.when, zone, datetime.now(UTC))
            self.publish_at, self.note = moment.at, moment.note
        except times.NotATime as error:
            self.when_error = error.message

"""The form of a post: the values as typed, and an error for each field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup
from quart import request

from app import times
from app.blog import markdown
from app.blog.models import LONGEST_TEXT, LONGEST_TITLE, Post
from app.blog.rendering import Rendered, TextRefused, render
from app.blog.tags import Tag, TagRefused, read_tags
from app.blog.unsaved.keeping import LAST
from app.blog.unsaved.models import UnsavedText
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message

FIELDS = ("title", "text", "tags", "when", "seen")
"""What is kept of a form while somebody types."""
TAB = re.compile(r"[\w-]{8,32}", re.ASCII)
CHANGED = Message(
    "changed", "This post was saved somewhere else after you opened it here. Save again to replace that version."
)
NOT_PLANNED = Message(
    "not-planned", "Not saved: press “Publish at this time” to plan the post, or empty this field and save again."
)


@dataclass
class Form:
    """The values as typed, and an error message for each invalid field."""

    title: str = ""
    text: str = ""
    tags: str = ""
    when: str = ""
    title_error: Message | None = None
    text_error: Message | None = None
    tags_error: Message | None = None
    when_error: Message | None = None
    note: Message | None = None
    publish_at: datetime | None = None
    chosen: list[Tag] = field(default_factory=list)
    seen: str = ""
    """When the post was edited last, as this form knows it."""
    tab: str = ""
    """The tab that sent the form: see app/blog/unsaved/."""
    restored: str = ""
    """The tab from which its text was restored."""
    change: int = LAST
    """The number of the tab's last change."""
    do: str = ""

    @classmethod
    async def read(cls, zone: ZoneInfo) -> Form:
        """The form of this request. The time field counts only with the button that schedules the post."""
        sent = await request.form
        form = cls(
            title=" ".join(markdown.printable(sent.get("title", "")).split()),
            text=markdown.printable(sent.get("text", "")),
            tags=markdown.printable(sent.get("tags", ""))[:1000],
            when=sent.get("when", "")[:100],
            seen=sent.get("seen", "")[:50],
            tab=_tab(sent.get("tab", "")),
            restored=_tab(sent.get("restored", "")),
            change=_change(sent.get("change", 0, type=int)),
            do=sent.get("do", ""),
        )
        await form._check_text()
        if form.do != "preview":
            form._check_title()
            form._check_tags()
        if form.do == "now":
            form.publish_at = datetime.now(UTC)
        elif form.do == "then":
            form._check_time(zone)
        return form

    @classmethod
    def of(cls, post: Post, zone: ZoneInfo) -> Form:
        """The form of an existing post."""
        waits = post.published_at is not None and post.state == "waiting"
        when = moments.for_field(post.published_at, zone) if waits and post.published_at else ""
        return cls(
            post.title, post.text, ", ".join(tag.name for tag in post.tags), when, seen=post.edited_at.isoformat()
        )

    @classmethod
    def restore(cls, unsaved: UnsavedText) -> Form:
        """The form as it was when it was kept."""
        return cls(**{name: unsaved.typed.get(name, "") for name in FIELDS}, restored=unsaved.tab)

    @property
    def typed(self) -> dict[str, str]:
        return {name: str(getattr(self, name)) for name in FIELDS}

    @property
    def good(self) -> bool:
        return not (self.title_error or self.text_error or self.tags_error or self.when_error)

    @property
    def is_to_be_saved(self) -> bool:
        return self.good and self.do != "preview"

    @property
    def shown(self) -> Markup | None:
        """The text as its page shows it. None if it was not rendered."""
        return Markup(self.text.html) if isinstance(self.text, Rendered) else None

    def check_seen(self, post: Post) -> None:
        """Do not replace what somebody else has saved meanwhile. The next time it is known."""
        if self.do == "preview":
            return
        known, self.seen = self.seen, post.edited_at.isoformat()
        if known and known != self.seen:
            self.text_error = CHANGED

    def check_planned(self, planned: str = "") -> None:
        """Do not lose a time that was typed, and sent with a button that ignores it."""
        if self.do not in ("preview", "now", "then") and self.when not in ("", planned):
            self.when_error = NOT_PLANNED

    def _check_title(self) -> None:
        if not self.title:
            self.title_error = Message("no-title", "Enter a title.")
        elif len(self.title) > LONGEST_TITLE:
            self.title_error = Message(
                "title-too-long", f"The title has {len(self.title)} characters. The limit is {LONGEST_TITLE}."
            )

    def _check_tags(self) -> None:
        try:
            self.chosen = read_tags(self.tags)
        except TagRefused as error:
            self.tags_error = error.message

    async def _check_text(self) -> None:
        if not self.text.strip():
            self.text_error = Message("empty", "Enter the text of the post.")
        elif len(self.text) > LONGEST_TEXT:
            self.text_error = Message(
                "too-long",
                f"The text has {len(self.text):,} characters. The limit is {LONGEST_TEXT:,}: shorten it, "
                "or split it into two posts.",
            )
        else:
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


def _tab(given: str) -> str:
    return given if TAB.fullmatch(given) else ""


def _change(given: int) -> int:
    return given if 0 < given < LAST else LAST

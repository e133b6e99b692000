"""A post: a draft, scheduled or published."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, and_
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.blog import markdown
from app.blog.markdown import searching, shortening
from app.blog.rendering import LONGEST_BEGINNING, RENDERER, Rendered, render_here
from app.database import Model

LONGEST_TITLE = 200  # characters
LONGEST_TEXT = 50_000
LONGEST_TAG = 40


def _now() -> datetime:
    return datetime.now(UTC)


class Post(Model):
    """One post. Setting `title` or `text` also sets what is derived from them, in a page and in a shell."""

    __tablename__ = "post"
    # Without it SQLite reuses the id of a deleted post, and so its address, for another post.
    __table_args__ = (Index("ix_post_published_at", "published_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(LONGEST_TITLE))
    slug: Mapped[str] = mapped_column(String(LONGEST_TITLE))
    """The title as part of an address. Empty if the title has no letters and digits."""
    text: Mapped[str] = mapped_column(Text)
    """Markdown, as written."""
    html: Mapped[str] = mapped_column(Text)
    """The text as HTML, sanitised when it was saved."""
    beginning: Mapped[str] = mapped_column(String(LONGEST_BEGINNING))
    """The words of the first paragraph, as plain text."""
    renderer: Mapped[int] = mapped_column(server_default="0")
    """The RENDERER of app/blog/rendering.py that made the HTML."""
    words: Mapped[str] = mapped_column(Text, server_default="")
    """The words of the title, a newline, and those of the text, as `searching.words()` makes them."""
    derived_from: Mapped[str] = mapped_column(String(32), server_default="")
    """A hash of the title and the text of which the HTML and the words are: see app/blog/tasks.py."""
    published_at: Mapped[datetime | None]
    """When it was or will be published. None for a draft."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    edited_at: Mapped[datetime] = mapped_column(default=_now)

    tags: Mapped[list[PostTag]] = relationship(
        order_by="PostTag.place", lazy="selectin", cascade="all, delete-orphan", passive_deletes=True
    )

    def __repr__(self) -> str:
        return f"<Post {self.title[:20]!r}>"

    @validates("title")
    def _title_is_set(self, key: str, title: str) -> str:
        title = " ".join(markdown.printable(title).split())
        self.slug = shortening.slug(title)
        self._set_words(title, self.text or "", (self.words or "").partition("\n")[2])
        return title

    @validates("text")
    def _text_is_set(self, key: str, text: str) -> str:
        rendered = text if isinstance(text, Rendered) else render_here(markdown.printable(text))
        self.html, self.beginning, self.renderer = rendered.html, rendered.beginning, RENDERER
        self._set_words(self.title or "", rendered, rendered.words)
        return str(rendered)

    def _set_words(self, title: str, text: str, of_text: str) -> None:
        self.words = f"{' '.join(searching.words(title))}\n{of_text}"
        self.derived_from = source(title, text)

    @property
    def body(self) -> Markup:
        """The HTML, marked as safe for a template."""
        return Markup(self.html)

    @property
    def state(self) -> str:
        """`draft`, `waiting` or `published`."""
        if self.published_at is None:
            return "draft"
        return "waiting" if self.published_at > _now() else "published"

    @property
    def changed_at(self) -> datetime:
        """When the published post last changed."""
        return max(self.published_at or self.edited_at, self.edited_at)

    @property
    def address(self) -> dict[str, Any]:
        """Arguments for `url_for("blog.show", **post.address)`."""
        return {"pk": self.id, "slug": self.slug} if self.slug else {"pk": self.id}


def source(title: str, text: str) -> str:
    """The hash that says from what a post was derived."""
    return hashlib.sha256(f"{title}\n{text}".encode(errors="replace")).hexdigest()[:32]


class PostTag(Model):
    """A tag of one post. See app/blog/tags.py."""

    __tablename__ = "post_tag"

    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(shortening.LONGEST_SLUG), primary_key=True, index=True)
    name: Mapped[str] = mapped_column(String(LONGEST_TAG))
    """As the author typed it."""
    place: Mapped[int]
    """Its place among the tags of the post."""


def is_published() -> ColumnElement[bool]:
    """For WHERE: published by now. Scheduled posts need no task, because each query compares the time."""
    return and_(Post.published_at.is_not(None), Post.published_at <= _now())

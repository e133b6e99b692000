"""What a page says to programs: states, error codes and counts, whatever its English is. See docs/pages.md."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser


class Marks(HTMLParser):
    """The `data-*` attributes of a page, in the order in which they stand there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.states: list[str] = []
        """The values of `data-state`."""
        self.errors: list[str] = []
        """The values of `data-error`: codes of what is wrong with a field, or with the request."""
        self.notices: list[str] = []
        """The values of `data-notice`: codes of what the last action did."""
        self.counts: dict[str, int] = {}
        """`data-count` by the `data-state` (of a link to a filtered list, `data-filter`) of the same element."""
        self.actions: list[str] = []
        """Where forms are sent, and buttons lead."""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name, found in (("state", self.states), ("error", self.errors), ("notice", self.notices)):
            if f"data-{name}" in given:
                found.append(given[f"data-{name}"])
        if "data-count" in given:
            self.counts[given.get("data-state") or given["data-filter"]] = int(given["data-count"])
        if tag == "form":
            self.actions.append(given.get("action", ""))
        elif "button" in given.get("class", "").split():
            self.actions.append(given.get("href", ""))

"""Somebody at a browser who knows what they see, and whose steps are counted."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Locator, Page

MOST_STEPS, MOST_LINES = 3, 1
BOX = "An id, or a query"
CELLS = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))"


class Operator:
    """Begins at the overview. A click, and a line typed in the box, are a step each; more than allowed fail."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.steps = self.lines = 0

    async def begin(self) -> None:
        """A new question, at the overview."""
        self.steps = self.lines = 0
        await self.page.goto(self.address)
        await self.page.get_by_role("heading", name="Overview").wait_for()

    async def click(self, name: str | re.Pattern[str], role: Any = "link", within: Locator | None = None) -> None:
        """What has this label: it leads to another page."""
        self._step()
        here = within or self.page.locator("body")
        async with self.page.expect_navigation():
            await here.get_by_role(role, name=name, exact=isinstance(name, str)).click()

    async def section(self, name: str) -> None:
        """One of the links at the side: a figure may stand behind its name."""
        side = self.page.get_by_role("navigation", name="Monitor")
        await self.click(re.compile(rf"^{name}( \S+)?$"), within=side)

    async def type_line(self, line: str) -> None:
        self.lines += 1
        self._step()
        await self.page.get_by_label(BOX).fill(line)
        async with self.page.expect_navigation():
            await self.page.get_by_label(BOX).press("Enter")

    async def text(self, within: str = "main") -> str:
        """What one can read there: a hidden word is none of it."""
        return await self.page.locator(within).inner_text()

    async def rows(self, caption: str) -> list[dict[str, str]]:
        """The rows of a table at one moment, by the heads of its columns."""
        table = self.page.get_by_role("table", name=caption, exact=True)
        heads, *rows = await table.evaluate(CELLS)
        return [
            {head.strip(" ↓↑"): " ".join(cell.split()) for head, cell in zip(heads, row, strict=True)} for row in rows
        ]

    def _step(self) -> None:
        self.steps += 1
        assert self.steps <= MOST_STEPS, f"{self.steps} steps"
        assert self.lines <= MOST_LINES, f"{self.lines} lines"

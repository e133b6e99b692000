"""Cells of a CSV file that a spreadsheet opens: none is run as a formula, and each can be read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""
QUOTE = "'"
"""Makes a cell that begins with it a text. A cell that begins with one itself gets another."""


def row(cells: Iterable[str]) -> str:
    """One line of the file."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([safe(cell) for cell in cells])
    return written.getvalue()


def safe(cell: str) -> str:
    """*cell* as no formula."""
    return QUOTE + cell if cell.startswith((*FORMULA, QUOTE)) else cell


def plain(cell: str) -> str:
    """What `safe` was given."""
    return cell[1:] if cell.startswith(QUOTE) and cell[1:].startswith((*FORMULA, QUOTE)) else cell

"""`python -m tests.openapi`: write docs/openapi.json anew."""

from __future__ import annotations

from tests.openapi.page import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page())

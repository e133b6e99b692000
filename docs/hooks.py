"""For `make docs`: a link to a file outside of `docs/` leads nowhere on the site, so its path is shown instead."""

import re

OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)]+)\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)

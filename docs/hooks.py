"""For `make docs`: a link to a file outside of `docs/` leads nowhere on the site, so its path is shown instead.

The reference is made from the folder of the clone, `jobs/`."""

import re

OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)]+)\)")


IDENTIFIER = re.compile(r"^::: quarq_jobs\b", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    markdown = IDENTIFIER.sub("::: jobs", markdown)
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)

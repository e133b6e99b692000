"""`docs/sentry.md`: its program does what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

from settings import ROOT
from tests.documents import as_in_the_clone, run_commands

TEXT = as_in_the_clone(ROOT / "docs" / "sentry.md")


def test_the_example_prints_its_one_event(tmp_path: Path, redis_url: str) -> None:
    (program,) = re.findall(r"^```python\n# reported\.py\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (dialogue,) = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "reported.py").write_text(program)

    run_commands(dialogue, tmp_path, redis_url)

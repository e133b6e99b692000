"""docs/pages.md lists every address of the site, and who may open it."""

from __future__ import annotations

import re

from quart import Quart

from settings import ROOT
from tests.app.routes import access_of, rules

ROW = re.compile(r"^\| `(/[^`]*)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
CONVERTER = re.compile(r"<[^<>]*:(\w+)>")
WHO = {"public": "everybody", "signed_in": "signed in", "owner": "owner"}
OTHERS = {"inbox": "key of the inbox", "metrics": "owner, or METRICS_TOKEN"}
"""Features that ask for something else."""


def test_each_address_has_its_row(app: Quart) -> None:
    found = {
        prefix + CONVERTER.sub(r"<\1>", rule.rule): OTHERS.get(
            rule.endpoint.partition(".")[0], WHO.get(access_of(rule, view), "")
        )
        for prefix, rule, view in rules(app)
    }

    rows = ROW.findall((ROOT / "docs" / "pages.md").read_text())

    assert dict(rows) == found
    assert [address for address, _ in rows] == sorted(found)

"""docs/pages.md lists every address of the site, and who may open it."""

from __future__ import annotations

import re

from quart import Quart

from settings import ROOT

ROW = re.compile(r"^\| `(/[^`]*)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
CONVERTER = re.compile(r"<[^<>]*:(\w+)>")
WHO = {"public": "everybody", "signed_in": "signed in", "owner": "owner"}
OTHERS = {"inbox": "key of the inbox", "metrics": "owner, or METRICS_TOKEN"}
"""Features that ask for something else."""


def test_each_address_has_its_row(app: Quart) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    found = {
        CONVERTER.sub(r"<\1>", rule.rule): OTHERS.get(
            rule.endpoint.partition(".")[0], WHO[getattr(app.view_functions[rule.endpoint], "access", "")]
        )
        for rule in rules
    }

    rows = ROW.findall((ROOT / "docs" / "pages.md").read_text())

    assert dict(rows) == found
    assert [address for address, _ in rows] == sorted(found)

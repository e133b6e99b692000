"""The dashboard for Grafana, as its tests read it: panels, expressions, and expressions as Prometheus gets them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from settings import ROOT

PATH = ROOT / "examples" / "observability" / "grafana" / "dashboards" / "jobs.json"
BOARD: dict[str, Any] = json.loads(PATH.read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]
METRIC = re.compile(r"\b((?:quarq|shop)_\w+)(?:\{(.*?)\})?")


@dataclass(frozen=True)
class Expression:
    panel: str
    text: str
    legend: str

    @property
    def asked(self) -> str:
        """As Grafana sends it with "All" chosen, and a scrape every 15 s."""
        return self.text.replace("$__rate_interval", "1m").replace("$task", ".*").replace("$queue", ".*")

    @property
    def metrics(self) -> list[tuple[str, set[str]]]:
        """Each metric that it names, with the labels that choose its series."""
        return [(name, set(re.findall(r"(\w+)=~?\"", chosen))) for name, chosen in METRIC.findall(self.text)]

    @property
    def shown_labels(self) -> set[str]:
        """The labels that it sums by, or that its legend shows."""
        by = {label.strip() for part in re.findall(r"by \((.*?)\)", self.text) for label in part.split(",")}
        return by | set(re.findall(r"\{\{(\w+)\}\}", self.legend))


EXPRESSIONS = [
    Expression(panel["title"], target["expr"], target["legendFormat"])
    for panel in PANELS
    for target in panel["targets"]
]

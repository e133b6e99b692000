"""The dashboard for Grafana: it shows metrics that exist, by labels that they have, in words that people understand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dashboard import BOARD, EXPRESSIONS, PANELS, VARIABLES, Expression
from tests.metric_names import OF_A_PROCESS, OF_JOBS

KNOWN = OF_JOBS | OF_A_PROCESS
OF_PROMETHEUS = {"instance", "job"}
"""Labels that a scrape adds."""
UNITS = {"s", "bytes", "percentunit", "short", "suffix:/min", "suffix: schedules"}
WANTED = {
    "quarq_jobs_finished_total", "quarq_job_wait_seconds", "quarq_job_run_seconds", "quarq_queue_jobs",
    "quarq_queue_oldest_due_seconds", "quarq_worker_slots", "quarq_worker_slots_busy",
    "quarq_schedule_overdue_seconds", "quarq_redis_memory_bytes",
}  # fmt: skip


def known(name: str) -> tuple[str, set[str]]:
    """Type and labels of the metric that this series belongs to."""
    base = re.sub("_bucket$", "", name)
    kind, labels = KNOWN[base]
    assert (kind == "histogram") == (base != name), f"{name} is of a {kind}"
    return kind, labels | ({"le"} if base != name else set())


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda expression: expression.text)
def test_an_expression_names_metrics_and_labels_that_exist(expression: Expression) -> None:
    assert expression.metrics
    of_all = set(OF_PROMETHEUS)
    for name, chosen in expression.metrics:
        kind, labels = known(name)
        of_all |= labels
        assert chosen <= labels, name
        if kind != "gauge":
            assert re.search(rf"rate\({name}(\{{[^}}]*\}})?\[\$__rate_interval\]\)", expression.text), name
    assert expression.shown_labels <= of_all


def test_a_figure_of_all_jobs_counts_once_however_often_it_is_scraped() -> None:
    """Every worker and the site report it: only a maximum over them is right, before anything is added."""
    for expression in EXPRESSIONS:
        for name, _ in expression.metrics:
            if name not in OF_A_PROCESS:
                around = rf"(max|topk)( by \([\w, ]+\))? ?\((rate\()?{name}"
                assert re.search(around, expression.text), expression.text


def test_it_shows_what_an_operator_asks_for() -> None:
    shown = {re.sub("_bucket$", "", name) for expression in EXPRESSIONS for name, _ in expression.metrics}
    quantiles = re.findall(
        r"histogram_quantile\((\S+),.*?(quarq_job_\w+)_bucket", " ".join(e.text for e in EXPRESSIONS)
    )

    assert shown >= WANTED
    assert sorted(quantiles) == [
        (n, f"quarq_job_{what}_seconds") for n in ("0.5", "0.95", "0.99") for what in ("run", "wait")
    ]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    description = panel["description"]

    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert re.fullmatch(r"How (many|much|long)\b.*\.|(The|For)\b.*\.", description)
    assert len(description.split()) >= 8
    assert "quarq_" not in description + panel["title"]
    assert all(target["legendFormat"] for target in panel["targets"])


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))


def test_its_variables_can_be_filled_by_any_prometheus() -> None:
    sources = {str(thing["datasource"]) for panel in PANELS for thing in [panel, *panel["targets"]]}
    used = set(re.findall(r"\$(\w+)", " ".join(expression.text for expression in EXPRESSIONS)))

    assert sources == {str({"type": "prometheus", "uid": "${datasource}"})}
    assert {variable["name"] for variable in VARIABLES} == {"datasource"} | used - {"__rate_interval"}
    for variable in VARIABLES[1:]:
        [(name, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", variable["definition"])
        assert label in known(name)[1]
        assert variable["query"]["query"] == variable["definition"]
    assert BOARD["uid"]
    assert BOARD["title"]

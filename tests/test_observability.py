"""examples/observability: an order is one trace, lines are JSON, a failure is one event, and the dashboard shows it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections import Counter
from math import isnan
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from tests.dashboard import EXPRESSIONS
from tests.metric_names import OF_A_PROCESS, OF_JOBS, families
from tests.observed_shop import TENANTS, Rows, Seen, observe
from tests.promtool import find
from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def seen(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One run for all tests here: it starts two processes."""
    with Redis.from_url(redis_server.url) as redis:
        redis.flushall()
    return asyncio.run(observe(redis_server.url, tmp_path_factory.mktemp("shop")))


def traces(seen: Seen) -> dict[str, Rows]:
    """The spans of each trace, by the trace's id as logs have it."""
    found: dict[str, Rows] = {}
    for span in seen.spans:
        found.setdefault(span["context"]["trace_id"].removeprefix("0x"), []).append(span)
    return found


def test_each_order_is_one_trace_from_the_request_to_the_last_retry(seen: Seen) -> None:
    both = sorted(traces(seen).values(), key=len)

    assert len(both) == len(TENANTS)
    for spans, outcomes in zip(both, [["success"], ["retry", "failure"]], strict=True):
        ids = {span["context"]["span_id"] for span in spans}
        assert Counter(span["name"] for span in spans if span["name"] != "process jobs.workflow") == {
            "POST /orders": 1,
            "send shop.order": 1,
            "process shop.order": 1,
            "send jobs.workflow": 1,
            "process shop.pack": 2,
            "process shop.charge": len(outcomes),
        }
        assert [span["name"] for span in spans if span["parent_id"] not in ids] == ["POST /orders"]
        charges = sorted((s for s in spans if s["name"] == "process shop.charge"), key=lambda s: s["start_time"])
        assert [span["attributes"]["jobs.outcome"] for span in charges] == outcomes
        assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"shop-web", "shop-worker"}


def test_every_line_of_the_worker_is_json_and_names_its_job(seen: Seen) -> None:
    of_jobs = [line for line in seen.worker_log if "state" in line]
    own = [line for line in seen.worker_log if line["logger"] == "shop"]

    assert all({"time", "level", "logger", "message"} <= line.keys() for line in seen.worker_log)
    assert all(line["job_id"] and line["task"] for line in [*of_jobs, *own])
    assert Counter(line["state"] for line in of_jobs if line["task"] == "shop.charge") == {
        "STARTED": 3, "SUCCESS": 1, "RETRY": 1, "FAILURE": 1,
    }  # fmt: skip
    assert [line["tenant"] for line in own].count("umbrella") == 2
    assert {line["tenant"] for line in own} == set(TENANTS)
    for lines in (own, [line for line in seen.web_log if line["logger"] == "shop"]):
        assert {line["trace_id"] for line in lines} == traces(seen).keys()


def test_sentry_gets_the_one_failure(seen: Seen) -> None:
    [event] = seen.events

    assert event["exception"]["values"][-1]["value"] == "the bank does not answer"
    assert (event["tags"]["task"], event["tags"]["attempt"]) == ("shop.charge", 2)


def test_the_port_has_every_metric_and_the_site_its_own(seen: Seen) -> None:
    figures = samples(seen.worker_metrics)

    assert families(seen.worker_metrics).keys() >= (OF_JOBS | OF_A_PROCESS).keys() - {
        "quarq_schedule_last_run_timestamp_seconds",  # the weekly box was not due
        "quarq_limit_waiting_jobs",  # the shop has no limits
    }
    assert figures['quarq_jobs_finished_total{outcome="failure",task="shop.charge"}'] == 1
    assert figures['quarq_jobs_finished_total{outcome="success",task="shop.charge"}'] == 1
    assert figures['quarq_jobs_retried_total{task="shop.charge"}'] == 1
    for tenant in TENANTS:
        assert samples(seen.web_metrics)[f'shop_orders_total{{tenant="{tenant}"}}'] == 1


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    return {
        sample.name + ("{" + ",".join(f'{k}="{v}"' for k, v in sample.labels.items()) + "}" if sample.labels else ""): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_expression_of_the_dashboard_shows_something_and_the_same_from_two_workers(
    seen: Seen, tmp_path: Path
) -> None:
    """Prometheus' own checker evaluates them over what the port has reported."""
    figures = samples(seen.worker_metrics) | {"quarq_redis_memory_limit_bytes": 10.0**9}
    one, two = (evaluated(figures, workers, tmp_path) for workers in (1, 2))

    assert one.keys() == {expression.asked for expression in EXPRESSIONS}
    for expression in EXPRESSIONS:
        assert not any(map(isnan, one[expression.asked].values())), expression.text
        if not any(name in OF_A_PROCESS for name, _ in expression.metrics):
            assert two[expression.asked] == pytest.approx(one[expression.asked]), expression.text


def evaluated(figures: dict[str, float], workers: int, folder: Path) -> dict[str, dict[str, float]]:
    """What each expression comes to, by its labels, while counters grow each 15 s by what was counted."""
    series = [
        {
            "series": re.sub(r"\{|$", f'{{instance="worker-{worker}",', name, count=1).rstrip("}").rstrip(",") + "}",
            "values": f"0+{n}x40" if re.search("_(total|bucket|sum|count)({|$)", name) else f"{n}+0x40",
        }
        for name, n in figures.items()
        for worker in range(workers)
    ]
    wanted = [{"expr": expression.asked, "eval_time": "8m", "exp_samples": []} for expression in EXPRESSIONS]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": wanted}
    (folder / "test.yml").write_text(json.dumps({"rule_files": [], "tests": [test]}))
    done = subprocess.run(
        [find(), "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    found = re.findall(r"expr: \"(.*?)\", time: 8m,\s*exp:\s*\S*\s*got:\s*(.*?)\s*(?=expr:|$)", said, re.S)
    assert found, said
    return {
        json.loads(f'"{text}"'): {labels: float(n) for labels, n in re.findall(r"({.*?}) (\S+?),?(?=\s|$)", got)}
        for text, got in found
    }

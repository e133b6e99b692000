"""docs/kubernetes.md: its manifests are well formed and fit the code, and its tables say what the port answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from arq.worker import create_worker

from jobs.contrib.port import MOST_CONNECTIONS, MOST_QUESTIONS, PATIENCE_S
from jobs.worker import Worker
from jobs.worker.engine import LAST_WAIT_S
from settings import ROOT
from tests.documents import as_in_the_clone
from tests.metric_names import OF_A_PROCESS, OF_JOBS
from tests.waiting import wait_until

PAGE = as_in_the_clone(ROOT / "docs" / "kubernetes.md")
FENCES = {
    kind: re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for kind in ("python", "yaml", "json")
}
MANIFESTS: dict[str, Any] = {
    manifest["kind"]: manifest for fence in FENCES["yaml"] for manifest in yaml.safe_load_all(fence)
}
POD = MANIFESTS["Deployment"]["spec"]["template"]
[CONTAINER] = POD["spec"]["containers"]
GOODBYE_S = LAST_WAIT_S + 3 + 2
"""What a worker takes at most after it has cancelled its jobs: they end, are released, and it leaves the lists."""


@pytest.fixture
def settings(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the page's worker.py makes."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    made: dict[str, Any] = {}
    exec(FENCES["python"][0], made)
    return made["WorkerSettings"]


def test_the_manifests_are_those_that_the_page_speaks_of() -> None:
    assert set(MANIFESTS) == {"Deployment", "Service", "ScaledObject", "PodMonitor", "ScrapeConfig"}
    for manifest in MANIFESTS.values():
        assert manifest["apiVersion"]
        assert re.fullmatch("[a-z]+", manifest["metadata"]["name"])


def test_probes_ask_the_port_of_the_code(settings: Any) -> None:
    [port] = CONTAINER["ports"]
    [service] = MANIFESTS["Service"]["spec"]["ports"]
    probes = {name: CONTAINER[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}

    assert settings.health == f"0.0.0.0:{port['containerPort']}"
    assert {name: probe["httpGet"]["path"] for name, probe in probes.items()} == {
        "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
    }  # fmt: skip
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {port["name"]}
    assert (service["port"], service["targetPort"]) == (port["containerPort"], port["name"])
    assert probes["readiness"]["timeoutSeconds"] > PATIENCE_S + 1
    stuck_s = inspect.signature(Worker).parameters["loop_stuck"].default
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] > stuck_s
    assert CONTAINER["command"] == ["arq", "worker.WorkerSettings"]


def test_a_pod_has_the_time_that_its_worker_takes_to_stop(settings: Any) -> None:
    assert POD["spec"]["terminationGracePeriodSeconds"] > settings.job_completion_wait + GOODBYE_S
    assert f"the {GOODBYE_S} s that a worker needs" in PAGE
    assert "lifecycle" not in CONTAINER


def test_everything_selects_the_pods_of_the_deployment() -> None:
    labels = POD["metadata"]["labels"]
    selectors = [MANIFESTS[kind]["spec"]["selector"] for kind in ("Deployment", "PodMonitor")]

    assert [selector["matchLabels"] for selector in selectors] == [labels, labels]
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["ScaledObject"]["spec"]["scaleTargetRef"]["name"] == MANIFESTS["Deployment"]["metadata"]["name"]


def test_a_container_can_gain_no_rights_and_writes_only_to_tmp() -> None:
    security, pod = CONTAINER["securityContext"], POD["spec"]

    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"\nUSER {pod['securityContext']['runAsUser']}\n" in (ROOT / "Dockerfile").read_text()
    assert pod["automountServiceAccountToken"] is False
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"]] == ["/tmp"]
    assert CONTAINER["resources"]["limits"]["memory"]
    assert all("value" not in variable for variable in CONTAINER["env"])


def test_keda_scales_by_what_the_port_answers(settings: Any) -> None:
    [trigger] = MANIFESTS["ScaledObject"]["spec"]["triggers"]
    asked = trigger["metadata"]
    name, port = MANIFESTS["Service"]["metadata"]["name"], CONTAINER["ports"][0]["containerPort"]
    example = json.loads(FENCES["json"][0])

    assert trigger["type"] == "metrics-api"
    assert asked["url"] == f"http://{name}.default.svc:{port}/scale?queue={settings.queues[0]}"
    assert asked["targetValue"] == str(settings.max_jobs)
    assert asked["valueLocation"] in example
    assert MANIFESTS["ScaledObject"]["spec"]["minReplicaCount"] == 1
    assert example["value"] == example["due"] + example["running"]
    assert f"{-(-example['value'] // settings.max_jobs)} workers" in PAGE


def test_figures_of_all_jobs_are_scraped_once_and_those_of_a_process_from_each_pod() -> None:
    [of_pods] = MANIFESTS["PodMonitor"]["spec"]["podMetricsEndpoints"]
    once = MANIFESTS["ScrapeConfig"]["spec"]

    assert (of_pods["path"], of_pods["port"]) == (once["metricsPath"], CONTAINER["ports"][0]["name"])
    assert once["staticConfigs"] == [{"targets": [f"worker.default.svc:{CONTAINER['ports'][0]['containerPort']}"]}]
    for rules, action in (of_pods["metricRelabelings"], "drop"), (once["metricRelabelings"], "keep"):
        assert [(rule["sourceLabels"], rule["action"]) for rule in rules] == [(["__name__"], action)]
        assert all(re.fullmatch(rules[0]["regex"], name) for name in OF_JOBS)
        own = *OF_A_PROCESS, "process_resident_memory_bytes", "shop_orders_total"
        assert not any(re.fullmatch(rules[0]["regex"], name) for name in own)
    assert {name for name in re.findall(r"^\| `(quarq_process_\w+)`", PAGE, re.MULTILINE)} == set(OF_A_PROCESS)


@pytest.fixture
async def port(settings: Any) -> AsyncIterator[int]:
    """The worker of the page runs, at a port that is free here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings.health = f"127.0.0.1:{port}"
    worker = create_worker(settings, handle_signals=False)
    running = asyncio.create_task(worker.main())
    await wait_until(lambda: worker.statistics().name, "the worker to start")
    yield port
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await worker.close()


async def test_the_table_has_every_path_and_the_fields_of_scale(port: int) -> None:
    async def ask(target: str, method: str = "GET") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{method} {target} HTTP/1.1\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    paths = re.findall(r"^\| `(/\w+)` \|", PAGE, re.MULTILINE)
    status, sentence = await ask("/")
    figures = json.loads((await ask("/scale"))[1])
    fields = [
        field for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE) for field in row.split(", ")
    ]

    assert sentence == f"there are {', '.join(paths)}\n"
    assert [(await ask(path))[0] for path in paths] == [200] * 4
    assert status == 404
    assert (await ask("/scale?queues=a"))[0] == 400
    assert (await ask("/healthz", "DELETE"))[0] == 501
    assert f"{MOST_CONNECTIONS} at a time" in PAGE
    assert f"more than {MOST_QUESTIONS} different questions" in PAGE
    assert figures.keys() == json.loads(FENCES["json"][0]).keys()
    assert [f"`{name}`" for name in figures] == [field for field in fields if "quarq_" not in field]

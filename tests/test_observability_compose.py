"""examples/observability: its compose.yaml, and what that mounts, name ports, paths and commands that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT
from tests.metric_names import OF_A_PROCESS, OF_JOBS
from tests.promtool import find

FOLDER = ROOT / "examples" / "observability"
TEXT = (FOLDER / "compose.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
README = (FOLDER / "README.md").read_text()
SCRAPED: dict[str, Any] = {
    job["job_name"]: job for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
}
OURS = ["web", "worker"]
LISTENS = {"valkey": 6379, "web": 8000, "worker": 9101, "prometheus": 9090, "grafana": 3000, "jaeger": 16686}
"""The port of each service. Jaeger takes spans at another."""
OTLP_PORT = 4318
PINNED = {
    "valkey/valkey": (9, 1, 2),  # as in tests/test_compose.py
    "prom/prometheus": (3, 13, 3),
    "grafana/grafana": (13, 2, 3),
    "jaegertracing/jaeger": (2, 21, 0),
}
"""The oldest version of each image that will do. A new one: raise it here and in compose.yaml."""


def test_every_part_is_there() -> None:
    assert SERVICES.keys() == LISTENS.keys()
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - set(OURS)))
def test_an_image_has_one_exact_version(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    version = re.fullmatch(r"v?(\d+\.\d+\.\d+)(?:-alpine)?", tag)

    assert version is not None, f"{image}:{tag} is not one version"
    assert tuple(map(int, version[1].split("."))) >= PINNED[image]
    in_root = (ROOT / "compose.yaml").read_text()
    assert image not in in_root or f"{image}:{tag}" in in_root


def test_ports_are_those_that_services_listen_at_and_published_to_this_machine_alone() -> None:
    for name, service in SERVICES.items():
        for published in service.get("ports", []):
            address, outside, inside = published.split(":")
            assert (address, outside) == ("127.0.0.1", inside)
            assert int(inside) == LISTENS[name]
    shop = SERVICES["worker"]["environment"]
    assert shop["WORKER_PORT"] == f"0.0.0.0:{LISTENS['worker']}"
    assert shop["REDIS_URL"] == f"redis://valkey:{LISTENS['valkey']}"
    assert shop["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://jaeger:{OTLP_PORT}"
    assert f"--bind 0.0.0.0:{LISTENS['web']} " in SERVICES["web"]["command"]
    assert f":{LISTENS['web']}/metrics" in str(SERVICES["web"]["healthcheck"])
    assert f":{LISTENS['worker']}/healthz" in str(SERVICES["worker"]["healthcheck"])


@pytest.mark.parametrize("text", [TEXT, README], ids=["compose.yaml", "README.md"])
def test_commands_name_what_exists(text: str, redis_url: str) -> None:
    started = re.findall(r"(?:\$|command:) (arq|hypercorn)\b.* (examples\.[\w.]+)([.:])(\w+)$", text, re.M)

    assert sorted(program for program, *_ in started) == ["arq", "hypercorn"]
    for _, module, _, name in started:
        # in a process of its own: its tasks would be known to the other tests of this one
        command = [sys.executable, "-c", f"import {module} as module; module.{name}"]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"REDIS_URL": redis_url}, check=True)
    for port in re.findall(r"localhost:(\d+)", text):
        assert int(port) in LISTENS.values()
    for path in re.findall(r"compose -f (\S+)", text):
        assert (ROOT / path) == FOLDER / "compose.yaml"


def test_prometheus_reads_figures_of_all_jobs_once_and_those_of_a_process_from_each() -> None:
    def regex(job: str, action: str) -> str:
        [rule] = SCRAPED[job]["metric_relabel_configs"]
        assert (rule["source_labels"], rule["action"]) == (["__name__"], action)
        return str(rule["regex"])

    [discovered] = SCRAPED["workers"]["dns_sd_configs"]
    assert (discovered["names"], discovered["type"], discovered["port"]) == (["worker"], "A", LISTENS["worker"])
    for job, service in (("jobs", "worker"), ("web", "web")):
        assert SCRAPED[job]["static_configs"] == [{"targets": [f"{service}:{LISTENS[service]}"]}]
    assert regex("workers", "drop") == regex("jobs", "keep")
    of_jobs = re.compile(regex("workers", "drop"))
    assert {name for name in OF_JOBS | OF_A_PROCESS if of_jobs.fullmatch(name)} == set(OF_JOBS)


def test_prometheus_itself_accepts_its_configuration() -> None:
    done = subprocess.run(
        [find(), "check", "config", FOLDER / "prometheus.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_its_sources_and_the_dashboard() -> None:
    provisioning = FOLDER / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((provisioning / "dashboards" / "jobs.yaml").read_text())["providers"]
    mounts = {inside: FOLDER / path for path, inside in mounted("grafana")}
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert {source["type"]: source["url"] for source in sources} == {
        name: f"http://{name}:{LISTENS[name]}" for name in ("prometheus", "jaeger")
    }
    assert [source["type"] for source in sources if source.get("isDefault")] == ["prometheus"]
    assert mounts["/etc/grafana/provisioning"] == provisioning
    assert provider["options"]["path"] == str(home.parent)
    assert (mounts[str(home.parent)] / home.name).is_file()


def mounted(name: str) -> list[tuple[str, str]]:
    """What a service mounts of this folder, for reading only, and where."""
    parts = [volume.split(":") for volume in SERVICES[name]["volumes"]]
    assert all(mode == "ro" for _, _, mode in parts)
    return [(path, inside) for path, inside, _ in parts]


def test_what_is_mounted_exists() -> None:
    for name in ("prometheus", "grafana"):
        assert all((FOLDER / path).exists() for path, _ in mounted(name))


def test_the_image_has_what_it_needs_and_runs_as_a_user_without_rights() -> None:
    kept = {line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M) for path in line.split()}
    build = SERVICES["web"]["build"]

    assert (FOLDER / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == FOLDER / "Dockerfile"
    assert {path.partition("/")[0] for path in copied} == kept
    assert all((ROOT / path).exists() for path in copied)
    assert re.search(r"^USER \d+$", DOCKERFILE, re.M)
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
    for service in SERVICES.values():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"


def test_the_image_has_the_versions_that_tests_run_with() -> None:
    """The exporter alone is not installed here: it has the version of its SDK."""
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (FOLDER / "requirements.txt").read_text(), re.M))
    lock = (ROOT / "requirements.lock").read_text()

    assert pins.pop("opentelemetry-exporter-otlp-proto-http") == pins["opentelemetry-sdk"]
    assert pins.keys() == {"opentelemetry-sdk", "sentry-sdk"}
    for name, version in pins.items():
        assert f"\n{name}=={version} " in lock


def test_every_variable_is_explained() -> None:
    used = set(re.findall(r"^    ([A-Z_]+): ", TEXT, re.M)) | set(re.findall(r"\$\{([A-Z_]+)", TEXT))

    assert used == {*SERVICES["worker"]["environment"]}
    for name in used:
        assert f"\n| `{name}` | " in README
    assert len(README.splitlines()) <= 60


def test_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)

    assert len(links) > 5
    assert all((FOLDER / link).resolve().is_file() for link in links)

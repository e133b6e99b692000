"""compose.yaml and the Dockerfile: what an operator relies on stands there, and nothing secret does."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from settings import ROOT, Settings

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FIRST_GOOD = {
    "axllent/mailpit": (1, 31, 2),  # CVE-2026-22689 and others until 1.30.6; memory for thumbnails until 1.31.2
    "postgres": (17, 11),
    "valkey/valkey": (9, 1, 2),  # CVE-2026-56684, CVE-2026-63639 until 9.1.1; GHSA-fq2f-crmw-q97r until 9.1.2
}
"""The oldest version of each image without a known vulnerability. A new one: raise it here and in compose.yaml."""
OURS = ["migrations", "web", "worker"]


def test_every_part_is_there() -> None:
    assert set(SERVICES) == {"valkey", "postgres", "mailpit", "migrations", "web", "worker"}
    assert SERVICES["worker"]["command"] == "arq worker.WorkerSettings"
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert SERVICES["migrations"]["command"] == "python -m app.migrations"


def test_valkey_loses_nothing_it_accepted() -> None:
    command = SERVICES["valkey"]["command"]

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert SERVICES["valkey"]["volumes"] == ["valkey:/data"]


@pytest.mark.parametrize("name", ["valkey", "postgres", "web", "worker"])
def test_a_stop_leaves_time_to_finish(name: str) -> None:
    assert SERVICES[name]["stop_grace_period"] == "40s"


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrations"}))
def test_everything_that_runs_on_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_web_and_workers_wait_for_the_newest_schema() -> None:
    assert SERVICES["migrations"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"]["migrations"]["condition"] == "service_completed_successfully"
        assert SERVICES[name]["depends_on"]["valkey"]["condition"] == "service_healthy"


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "volumes" in service])
def test_data_lives_in_named_volumes(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        assert volume.split(":")[0] in COMPOSE["volumes"]


def test_ports_are_published_to_this_machine_alone() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - set(OURS)))
def test_an_image_has_an_exact_version_without_a_known_vulnerability(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    version = re.fullmatch(r"v?(\d+(?:\.\d+)+)(?:-alpine)?", tag)

    assert version is not None, f"{image}:{tag} is not one version"
    numbers = tuple(map(int, version[1].split(".")))
    assert len(numbers) == len(FIRST_GOOD[image])
    assert numbers >= FIRST_GOOD[image]


def test_no_service_can_gain_rights_and_ours_can_write_only_their_data() -> None:
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("privileged", False) is False
        assert "docker.sock" not in str(service)
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
        assert (SERVICES[name]["tmpfs"], SERVICES[name]["volumes"]) == (["/tmp"], ["site:/data"])


def test_the_image_runs_as_a_numbered_user_without_a_shell() -> None:
    """By its number, so that Kubernetes can see that it is not root."""
    [user] = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)

    assert int(user) > 0
    assert f"--shell /usr/sbin/nologin --uid {user} site" in DOCKERFILE


def test_no_secret_stands_inside() -> None:
    for value in re.findall(r"^ *[A-Z_]*(?:PASSWORD|KEY|TOKEN): (.*)", TEXT, re.MULTILINE):
        assert value.startswith("${POSTGRES_PASSWORD:?"), value
    assert "PASSWORD" not in DOCKERFILE
    assert "SECRET" not in DOCKERFILE


def test_every_variable_is_documented() -> None:
    example = (ROOT / ".env.example").read_text()

    for name in re.findall(r"\$\{([A-Z_]+)", TEXT):
        assert f"\n#{name}=" in example, name


def test_every_path_of_the_build_exists_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()}

    assert {service["build"] for service in SERVICES.values() if "build" in service} == {"."}
    assert copied == kept
    assert all((ROOT / path).exists() for path in copied)


def test_the_settings_of_the_services_are_accepted(tmp_path: Any) -> None:
    """With the defaults that stand in the file, and a password."""
    environment = SERVICES["web"]["environment"]
    filled = {
        name: re.sub(r"\$\{([A-Z_]+):([-?])([^}]*)\}", lambda found: found[3] if found[2] == "-" else "s3", value)
        for name, value in environment.items()
    }

    settings = Settings.from_env(filled | {"DATA_DIR": str(tmp_path)})

    assert settings.database_url == "postgresql+asyncpg://quarq:s3@postgres/quarq"
    assert (settings.smtp_server, settings.smtp_port, settings.smtp_tls) == ("mailpit", 1025, "none")
    assert not settings.embedded_mail
    assert not settings.embedded_redis


def test_the_image_installs_what_servers_need_and_no_embedded_one() -> None:
    [installed] = re.findall(r"pip install .* -r (\S+)", DOCKERFILE)
    lock = (ROOT / installed).read_text()

    assert installed == "requirements-site.lock"
    assert "\nasyncpg==" in lock
    assert "\nvalkeylite==" not in lock

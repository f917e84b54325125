"""The container files, read as the engine would read them; no engine is needed, and none has run them here."""

import json
import re
import shlex
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from core6.settings import BASE_DIR, ENVIRONMENT

COMPOSE: dict[str, Any] = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def instructions() -> list[tuple[str, str]]:
    text = (BASE_DIR / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def check_manage_command(command: list[str]) -> None:
    assert command[:2] == ["python", "manage.py"]
    name = command[2]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    parser.parse_args(command[3:])  # raises on what it does not know


def test_the_services_are_postgres_web_and_worker():
    assert list(SERVICES) == ["postgres", "web", "worker"]
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert list(COMPOSE["volumes"]) == ["postgres"]


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_commands_of_manage(name: str):
    check_manage_command(SERVICES[name]["command"])
    probe = SERVICES[name].get("healthcheck", {}).get("test")
    if probe:
        check_manage_command(probe[1:])


@pytest.mark.parametrize("name", OURS)
def test_our_environment_is_settings(name: str):
    environment = SERVICES[name]["environment"]
    assert set(environment) <= set(ENVIRONMENT)
    assert {"DATABASE_URL", "SECRET_KEY"} <= set(environment)


def test_web_and_worker_share_one_environment():
    assert SERVICES["web"]["environment"] == SERVICES["worker"]["environment"]


def test_no_secret_stands_in_the_file():
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if "PASSWORD" in name or "SECRET" in name:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name} has a default"
    assert re.search(r"core6:\$\{POSTGRES_PASSWORD:\?[^}]+\}@postgres:", SERVICES["web"]["environment"]["DATABASE_URL"])


def test_defaults_are_values_that_the_settings_read():
    for name, value in SERVICES["web"]["environment"].items():
        found = re.fullmatch(r"\$\{\w+:-([^}]*)\}", value)
        if found:
            ENVIRONMENT[name][0](found[1])


def test_each_waits_for_what_it_needs():
    assert SERVICES["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert SERVICES["web"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["worker"]["depends_on"] == {"web": {"condition": "service_healthy"}}


def test_the_image_is_slim_and_runs_as_nobody_special():
    assert arguments("FROM") == ["python:3.11-slim"]
    names = [name for name, _ in instructions()]
    assert arguments("USER") == ["core6"]
    assert names.index("USER") < names.index("CMD")
    assert not [rest for name, rest in instructions()[names.index("USER") :] if name in ("RUN", "COPY")]


def test_the_image_installs_the_locked_dependencies():
    installs = [line for line in arguments("RUN") if "pip install" in line]
    assert len(installs) == 1
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert arguments("COPY")[0].split()[0] == "requirements.lock"


def test_the_image_holds_every_app_and_only_files_that_exist():
    copied = [source for line in arguments("COPY") for source in shlex.split(line)[:-1]]
    for source in copied:
        assert (BASE_DIR / source).exists(), source
    apps = {app.split(".")[0] for app in settings.INSTALLED_APPS if (BASE_DIR / app.split(".")[0]).is_dir()}
    assert apps <= set(copied)


def test_the_image_serves_and_knows_when_it_is_ready():
    check_manage_command(json.loads(arguments("CMD")[0]))
    probe = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
    assert probe[:2] == ["python", "-c"]
    compile(probe[2], "healthcheck", "exec")
    assert f":{arguments('EXPOSE')[0]}/_readyz" in probe[2]


def test_the_image_sets_only_known_settings():
    ours = [name for name in re.findall(r"(\w+)=", arguments("ENV")[0]) if not name.startswith("PYTHON")]
    assert set(ours) <= set(ENVIRONMENT)

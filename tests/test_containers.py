"""The container files, read as the engine would read them; no engine is needed, and none has run them."""

import json
import re
import shlex
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from core6.management.environment import ENVIRONMENT
from core6.serving.limits import PATIENCE_SECONDS
from core6.settings import BASE_DIR

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


def proxy(**given: str) -> str:
    """Return the configuration of the proxy as the engine would write it, with variables of the environment."""
    text = COMPOSE["configs"]["proxy"]["content"]
    text = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1], found[2]), text)
    assert not re.search(r"(?<!\$)\$(?!\$)", text), "a $ of the proxy's own stands alone"
    return text.replace("$$", "$")


def test_the_services_are_postgres_web_worker_and_proxy():
    assert list(SERVICES) == ["postgres", "web", "worker", "proxy"]
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert list(COMPOSE["volumes"]) == ["postgres"]


def test_web_and_worker_can_be_scaled():
    """Several containers can share neither a name nor a port of the host: the proxy alone publishes any."""
    for name in OURS:
        assert not SERVICES[name].keys() & {"ports", "container_name"}
    public, console = SERVICES["proxy"]["ports"]
    assert public == "${PORT:-8000}:${PORT:-8000}"
    assert console == "127.0.0.1:${CONSOLE_PORT:-8001}:${CONSOLE_PORT:-8001}"
    assert "listen 8000;" in proxy()
    assert "listen 443;" in proxy(PORT="443")


def test_the_proxy_finds_every_web_server():
    assert re.search(r"resolver 127\.0\.0\.11 valid=\ds;", proxy())
    assert f"server web:{arguments('EXPOSE')[0]} resolve;" in proxy()
    assert "proxy_pass http://web;" in proxy()
    # `resolve` is of 1.27.3.
    assert tuple(map(int, SERVICES["proxy"]["image"].removeprefix("nginx:").split("."))) >= (1, 28)


@pytest.mark.parametrize("text", [proxy(), (BASE_DIR / "core6" / "docs" / "operation.md").read_text()])
def test_the_console_is_closed_to_the_outside(text: str):
    public, *others = re.findall(r"^( *)server \{\n(.*?)^\1\}", text, re.DOTALL | re.MULTILINE)
    assert "location /admin { return 404; }" in public[1]
    for _, other in others:  # which the engine publishes on 127.0.0.1 alone
        assert "listen 8001;" in other


@pytest.mark.parametrize("text", [proxy(), (BASE_DIR / "core6" / "docs" / "operation.md").read_text()])
def test_proxies_fit_the_server(text: str):
    assert int(one(r"client_max_body_size (\d+)m;", text)) * 2**20 == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert int(one(r"client_header_timeout (\d+)s;", text)) <= 10
    assert int(one(r"client_body_timeout (\d+)s;", text)) <= 10
    kept = int(one(r"[^_]keepalive_timeout (\d+)s;", text))
    assert kept < PATIENCE_SECONDS  # after which the server ends a connection that is idle
    expected = {"Host": "$http_host", "X-Forwarded-Host": "$http_host", "Connection": '""'}
    expected |= {"X-Forwarded-For": "$proxy_add_x_forwarded_for"}
    expected |= {"X-Forwarded-Port": "$server_port", "X-Forwarded-Proto": "$scheme"}
    assert dict(re.findall(r"proxy_set_header (\S+) (\S+);", text)) == expected


def one(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return str(found)


def test_the_servers_believe_the_proxy():
    assert SERVICES["web"]["environment"]["IS_BEHIND_PROXY"] == "true"
    assert SERVICES["proxy"]["configs"] == [{"source": "proxy", "target": "/etc/nginx/conf.d/default.conf"}]


@pytest.mark.parametrize("name", OURS)
def test_a_stop_is_waited_for(name: str):
    assert SERVICES[name]["stop_grace_period"] == "15s"


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


def test_no_secret_is_in_the_file():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
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
    for name in ("worker", "proxy"):
        assert SERVICES[name]["depends_on"] == {"web": {"condition": "service_healthy"}}


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


def test_the_image_is_built_from_what_it_copies_and_nothing_else():
    kept = {line[1:] for line in (BASE_DIR / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source.removesuffix("/") for line in arguments("COPY") for source in shlex.split(line)[:-1]}
    assert kept == copied


def test_the_example_of_the_environment_names_what_compose_reads():
    text = (BASE_DIR / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    read = set(re.findall(r"\$\{([A-Z_]+)", (BASE_DIR / "docker-compose.yml").read_text()))
    assert named <= read
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (BASE_DIR / "docker-compose.yml").read_text()))
    assert required == set(re.findall(r"^([A-Z_]+)=$", text, re.MULTILINE))


def test_the_names_of_the_services_are_accepted_as_hosts():
    allowed = re.search(r"ALLOWED_HOSTS:-([^}]*)", SERVICES["web"]["environment"]["ALLOWED_HOSTS"])
    assert allowed
    assert {"proxy", "web"} <= set(allowed[1].split(","))
    assert "core6" in re.search(r"ALLOWED_HOSTS=(\S+)", arguments("ENV")[0])[1].split(",")  # type: ignore[index]

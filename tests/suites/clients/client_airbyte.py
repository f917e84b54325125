"""The connector `airbyte-source-posthog`, as it comes from PyPI: `make client-test`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.conftest import ANN, computed, environment, held, made, on_plans
from tests.suites.clients.installing import python_client
from tests.support.serving import Serve

STREAMS = ("projects", "cohorts", "annotations")
#: More than the connector reads by one page.
NOTES = 101


def run(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """Return the messages that the connector prints until it ends with an exit code."""
    done = subprocess.run(
        [python_client("airbyte") / "bin" / "source-posthog", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def value_of(messages: list[dict[str, Any]], kind: str, name: str) -> Any:
    """Return what the only message of a kind says."""
    [found] = [message[name] for message in messages if message["type"] == kind]
    return found


@pytest.fixture
def config(server: Serve, tmp_path: Path) -> Path:
    return write_config(tmp_path, server.url, server.printed("API key"))


def write_config(directory: Path, url: str, key: str) -> Path:
    config = {"api_key": key, "start_date": "2021-01-01T00:00:00Z", "base_url": url}
    (directory / "config.json").write_text(json.dumps(config))
    return directory / "config.json"


def write_catalog(config: Path, *names: str) -> Path:
    """Write the catalog of some streams beside a configuration, as its users choose them from what it discovers."""
    catalog = value_of(run("discover", "--config", config), "CATALOG", "catalog")
    chosen = [stream for stream in catalog["streams"] if stream["name"] in names]
    assert len(chosen) == len(names)
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    file = config.with_name("catalog.json")
    file.write_text(json.dumps({"streams": [{"stream": stream, **modes} for stream in chosen]}))
    return file


def test_its_specification_asks_for_what_we_give(config: Path):
    specification = value_of(run("spec"), "SPEC", "spec")["connectionSpecification"]
    assert set(json.loads(config.read_text())) <= set(specification["properties"])


def test_the_connection_is_checked(config: Path, server: Serve):
    status = value_of(run("check", "--config", config), "CONNECTION_STATUS", "connectionStatus")
    assert status == {"status": "SUCCEEDED"}
    write_config(config.parent, server.url, "phx_of_nobody_at_all")
    status = value_of(run("check", "--config", config), "CONNECTION_STATUS", "connectionStatus")
    assert status["status"] == "FAILED"
    assert "401" in status["message"]


def test_everything_that_was_created_is_read(config: Path, server: Serve):
    projects = held(server, "projects/")["results"]
    for project in projects:
        path = f"projects/{project['id']}"
        cohort = made(server, f"{path}/cohorts/", name=f"Payers of {project['name']}", filters=on_plans("pro"))
        made(server, f"{path}/cohorts/", name="Picked", is_static=True, _create_static_person_ids=[ANN])
        computed(server, project["id"], cohort["id"])
    for number in range(NOTES):
        made(server, f"projects/{projects[0]['id']}/annotations/", content=f"note {number}", scope="project")
    made(server, f"projects/{projects[1]['id']}/annotations/", content="dated", date_marker="2026-01-02T03:04:05Z")
    file = write_catalog(config, *STREAMS)
    messages = run("read", "--config", config, "--catalog", file)
    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    read = {name: [record["data"] for record in records if record["stream"] == name] for name in STREAMS}
    assert {name: len(rows) for name, rows in read.items()} == {"projects": 2, "cohorts": 4, "annotations": NOTES + 1}
    expected = {"projects": projects}
    for name in ("cohorts", "annotations"):
        pages = [held(server, f"projects/{project['id']}/{name}/?limit=1000") for project in projects]
        expected[name] = [row for page in pages for row in page["results"]]
    for name in STREAMS:
        assert by_id(read[name]) == by_id(expected[name])
    done = [message["trace"]["stream_status"] for message in messages if message["type"] == "TRACE"]
    completed = {each["stream_descriptor"]["name"] for each in done if each["status"] == "COMPLETE"}
    assert completed == set(STREAMS)


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return rows by their id; the connector leaves out what is null."""
    return {row["id"]: {name: value for name, value in row.items() if value is not None} for row in rows}

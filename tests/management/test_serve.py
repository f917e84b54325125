import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from core6.security.masking import mask_key
from tests.support.places import ask
from tests.support.serving import Serve, manage, refusal, serving, started_place

FIXED_KEY = "phx_fixed_for_the_tests_of_ci"
WORLD = f"""
users: [{{email: ci@example.com, first_name: Ci}}]
organizations:
  - name: Globex
    members: {{ci@example.com: owner}}
    projects: [{{name: Shop, timezone: Europe/Berlin}}]
api_keys: [{{label: ci, user: ci@example.com, scopes: ["*"], scoped_projects: [Globex/Shop], value: {FIXED_KEY}}}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    """One server for all tests here; none of them may disturb it."""
    with started_place() as directory, serving(directory) as server:
        yield server


def test_the_server_prints_where_it_is_and_whom_it_serves(server: Serve):
    assert re.search(r"^Core6 answers at (\S+)$", server.stdout, re.MULTILINE)[1] == server.url  # type: ignore[index]
    known = "SELECT organization_id::text, id::text FROM projects_project"
    assert (server.printed("organization"), server.printed("project")) == ask(server.directory, known)


def test_the_printed_key_works(server: Serve):
    assert server.call("GET", server.annotations)[0] == 200
    server.note("made by the printed key")


def test_the_printed_key_is_kept_for_its_owner_alone(server: Serve):
    file = server.directory / "demo_key"
    assert file.read_text().strip() == server.printed("API key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_printed_password_opens_the_console(server: Serve):
    found = re.fullmatch(r"(\S+), as (\S+) with the first password (\S+)", server.printed("console"))
    assert found
    address, email, password = found.groups()
    assert address == f"{server.url}/admin/"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(address, timeout=30) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    form = {"csrfmiddlewaretoken": token[1], "username": email, "password": password, "next": "/admin/"}
    with browser.open(f"{address}login/", urllib.parse.urlencode(form).encode(), timeout=30) as page:
        assert (page.url, "failing cohorts" in page.read().decode()) == (address, True)
    file = server.directory / "demo_password"
    assert file.read_text().strip() == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_printed_line_works_when_pasted(server: Serve):
    (line,) = [each for each in server.stdout.splitlines() if each.startswith("  curl ")]
    if shutil.which("curl"):
        answer = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=30).stdout
    else:
        _, _, header, url = shlex.split(line)
        request = urllib.request.Request(url, headers=dict([header.split(": ", 1)]))
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
    assert "results" in json.loads(answer)


def test_the_ready_file_holds_the_address_and_the_process(server: Serve):
    assert server.ready_file == {"url": server.url, "pid": server.process.pid}
    assert [path.name for path in server.notes.glob("ready*")] == ["ready"]


@pytest.mark.parametrize("path", ["/_livez", "/_readyz"])
def test_the_server_is_healthy(server: Serve, path: str):
    assert server.call("GET", path) == (200, {"status": "ok"})


def test_a_busy_port_is_refused_before_anything_is_made(server: Serve, tmp_path: Path):
    port = str(urlsplit(server.url).port)
    message = refusal(tmp_path / "data", "serve", "--port", port)
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in message
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [("--port", "99999"), ("--port", "-1"), ("--host", "192.0.2.1", "--port", "0")])
def test_an_address_that_is_not_ours_is_refused(tmp_path: Path, arguments: tuple[str, ...]):
    assert "cannot be listened on" in refusal(tmp_path / "data", "serve", *arguments)


def test_a_second_server_of_the_directory_is_refused(server: Serve):
    message = refusal(server.directory, "serve", "--port", "0")
    assert f"process {server.process.pid} uses {server.directory} already" in message
    assert server.is_answering()


@pytest.mark.parametrize("way", ["a file", "standard input"])
def test_a_world_is_provisioned_beside_it(server: Serve, tmp_path: Path, way: str):
    (tmp_path / "world.yaml").write_text(WORLD)
    done = (
        manage(server.directory, "provision", str(tmp_path / "world.yaml"))
        if way == "a file"
        else manage(server.directory, "provision", "-", stdin=WORLD)
    )
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert made["api_keys"] == {"ci": {"value": FIXED_KEY, "mask": mask_key(FIXED_KEY)}}
    project = made["organizations"]["Globex"]["projects"]["Shop"]["id"]
    assert server.call("GET", f"/api/projects/{project}/annotations/", key=FIXED_KEY)[0] == 200
    assert server.call("GET", server.annotations, key=FIXED_KEY)[0] == 403


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("organizations: [{name: A, projects: [{name: B, timezone: Mars}]}]", "organizations[0].projects[0].timezone:"),
        (
            "organizations: [{name: New}, {name: Acme, members: {zoe@x.io: owner}}]",
            "organizations[1].members.zoe@x.io:",
        ),
        ("users: [", "neither YAML nor JSON"),
        ("users: 2026-13-45", "neither YAML nor JSON"),
    ],
)
def test_a_world_with_a_mistake_is_refused_with_one_line(server: Serve, tmp_path: Path, text: str, message: str):
    (tmp_path / "world.yaml").write_text(text)
    assert message in refusal(server.directory, "provision", str(tmp_path / "world.yaml"))
    assert ask(server.directory, "SELECT count(*) FROM accounts_organization WHERE name IN ('A', 'New')") == (0,)


def test_all_mistakes_of_a_world_are_a_line_each(server: Serve):
    text = "users: [{emial: a@x.io}]\norganizations: [{name: New, members: {zoe@x.io: owner}}]"
    done = manage(server.directory, "provision", "-", stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "CommandError: users[0].email: this property is required",
        "users[0].emial: unknown property, did you mean email?",
        "organizations[0].members.zoe@x.io: there is no user 'zoe@x.io': add one to users",
    ]
    assert ask(server.directory, "SELECT count(*) FROM accounts_organization WHERE name = 'New'") == (0,)


def test_a_file_that_is_not_there_is_refused_with_one_line(server: Serve):
    assert "none.yaml cannot be read: No such file" in refusal(server.directory, "provision", "none.yaml")


def test_a_key_is_made_beside_it(server: Serve):
    arguments = ("--user", "alice@example.com", "--label", "beside", "--scopes", "annotation:read", "--json")
    done = manage(server.directory, "create_api_key", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    key = json.loads(done.stdout)["value"]
    assert server.call("GET", server.annotations, key=key)[0] == 200
    assert server.call("POST", server.annotations, {"scope": "project"}, key=key)[0] == 403
    message = refusal(server.directory, "create_api_key", *arguments)
    assert "has a key with the label 'beside' already" in message
    assert key not in message


def test_no_key_is_in_a_log(server: Serve):
    key = server.printed("API key")
    server.call("GET", f"{server.annotations}?personal_api_key={key}")
    server.call("POST", f"{server.annotations}?personal_api_key={key}", {"scope": "nonsense"})
    server.call("GET", f"/api/nothing/?personal_api_key={key}")
    server.call(
        "POST", f"{server.annotations}?personal_api_key={key}", {"personal_api_key": key, "content": "x" * 9000}
    )
    # What the database refuses: its message could hold the statement, and the row.
    for refused in (
        f"SELECT '{key}', 1/0",
        f"SELECT '{key}'; SELECT nonsense",
        f"UPDATE projects_project SET api_token = '{key.replace('phx_', 'phc_')}', name = NULL",
        f"SET statement_timeout = 10; SELECT '{key}', pg_sleep(5)",
        f"SELECT '{key}', pg_terminate_backend(pg_backend_pid())",
    ):
        with pytest.raises(psycopg.Error):
            ask(server.directory, refused)
    for log in (server.notes / "stderr", server.directory / "postgres.log"):
        assert not re.search("ph[xcs]_", log.read_text())
    assert "division by zero" in (server.directory / "postgres.log").read_text()


def test_the_server_does_not_complain(server: Serve):
    assert server.complaints() == []


def test_its_processes_are_no_more_privileged_than_they_must_be(server: Serve):
    owner = (server.directory / "postgres").stat().st_uid
    assert owner == (os.geteuid() or 65534)

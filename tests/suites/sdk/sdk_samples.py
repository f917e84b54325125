"""The schema's samples in Shell and JavaScript work, for every operation of the page.

Those in Python are tests/api/openapi/test_schema.py's.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.openapi.test_schema import PAGE, VERBS
from tests.suites.sdk.conftest import run
from tests.support.serving import Serve

FILES = {"Shell": ("bash", "sample.sh"), "JavaScript": ("node", "sample.mjs")}


def operation_of(schema: dict[str, Any], line: str) -> dict[str, Any]:
    method, resource, action, *_ = line.split()
    name = f"{action}_{VERBS[method]}" if resource == "action" else f"{resource}_{action}"
    paths = schema["paths"].values()
    return next(each for path in paths for each in path.values() if each["operationId"] == name)


def ids(server: Serve, resource: str) -> dict[str, str]:
    """Return the ids that a sample reads from its environment; names of roles are free again."""
    roles = f"/api/organizations/{server.printed('organization')}/roles/"
    for role in server.call("GET", roles)[1]["results"]:
        server.call("DELETE", f"{roles}{role['id']}/")
    places = {"roles": roles, "annotations": server.annotations}
    if resource not in places:
        return {}
    status, made = server.call("POST", places[resource], {"name": "One", "content": "One", "scope": "project"})
    assert status == 201, made
    return {"ID": str(made["id"])}


@pytest.mark.parametrize("language", FILES)
@pytest.mark.parametrize("line", PAGE)
def test_the_sample_works(
    line: str, language: str, server: Serve, schema: Path, environment: dict[str, str], tmp_path: Path
):
    method, resource, _, _, expected, _ = line.split()
    operation = operation_of(yaml.safe_load(schema.read_text()), line)
    source = next(each["source"] for each in operation["x-codeSamples"] if each["lang"] == language)
    program, name = FILES[language]
    assert source.count(server.url) == source.count("://") == 1
    if language == "Shell":
        assert source.startswith(f"curl -X {method.upper()} ")
        source = source.replace("curl ", "curl --silent --show-error --write-out '\\n%{http_code}' ", 1)
    (tmp_path / name).write_text(source)
    printed = run(program, name, cwd=tmp_path, **environment, **ids(server, resource)).strip()
    status = printed.splitlines()[-1] if language == "Shell" else printed.split()[0]
    assert status == expected, printed

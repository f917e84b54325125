"""The worked example of README: pasted into a shell, it answers what stands beside it."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.support.documents import README
from tests.support.places import place
from tests.support.serving import PATIENCE, serving, wait_until

_SECTION = re.search(r"^## From curl to a computed cohort\n\n(.*?)\n\n", README.read_text(), re.MULTILINE | re.DOTALL)
assert _SECTION
LINES = [line.removeprefix("    ") for line in _SECTION[1].splitlines()]


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return each command of the example, and of its answer the values that stand beside it."""
    found: list[tuple[str, dict[str, Any]]] = []
    command = ""
    for line in LINES:
        if not line.startswith("# "):
            command += f"{line}\n"
            continue
        values = re.findall(r'"(\w+)": ("[^"]*"|\d+|true|false|null)', line)
        found.append((command, {name: json.loads(value) for name, value in values}))
        command = ""
    return found


def values_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an object by their keys; of a list those of its first object, and of its properties."""
    if "results" not in answer:
        return answer
    row: dict[str, Any] = answer["results"][0]
    return {**row["properties"], **row}


def test_the_example_has_four_commands():
    assert [len(values) > 1 for _, values in steps()] == [True] * 4


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_example_answers_what_it_says():
    with place() as directory, serving(directory / "data", "--workers", "1") as server:
        before = ""

        def answered(command: str, expected: dict[str, Any]) -> bool:
            done = subprocess.run(
                ["bash", "-c", f"shopt -s expand_aliases\n{before}{command}"],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
            found = values_of(json.loads(done.stdout))
            return {name: found[name] for name in expected} == expected

        for command, expected in steps():
            given = command.replace("phx_…", server.printed("API key")).replace("http://127.0.0.1:8000", server.url)
            *setting, request = re.split(r"^(?=api )", given, flags=re.MULTILINE)
            before += "".join(setting).replace("alias api='curl ", "alias api='curl -s ")
            if " -d " in request:
                assert answered(request, expected), request
            else:
                wait_until(lambda: answered(request, expected), request, 20)  # noqa: B023  # called at once
            if "is_demo" in request:
                demo = server.call("GET", "/api/projects/@current/")[1]["id"]
                path = f"/api/projects/{demo}/is_generating_demo_data/"
                wait_until(lambda: not server.call("GET", path)[1]["is_generating_demo_data"], "demo data")  # noqa: B023
        assert server.complaints() == []

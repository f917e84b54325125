"""The page's 18 curl lines in core6/docs/curl.md: pasted into a shell, each gives the page's status."""

import os
import re
import shutil
import subprocess

import pytest

from core6.settings import BASE_DIR
from tests.docs.test_page import PAGE
from tests.support.serving import LIGHT, PATIENCE, serving, started_place

DOCUMENT = (BASE_DIR / "core6" / "docs" / "curl.md").read_text()
LINES = [
    line for code in re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL) for line in code.split("\n")
]
TITLES = [tuple(line.removeprefix("# ").rsplit(": ", 1)) for line in LINES if line.startswith("# ")]
#: What the document has in place of what the page leaves open, longest first.
PLACES = {
    "$POSTHOG_HOST": "<ph_app_host>",
    "projects/@current/annotations": "projects/:project_id/annotations",
    "projects/@current/cohorts": "projects/:project_id/cohorts",
    "projects/@current": "projects/:id",
    "organizations/@current": "organizations/:organization_id",
    "$ROLE_ID": ":id",
    "$ANNOTATION_ID": ":id",
}


def bash(line: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_the_document_has_the_lines_and_the_statuses_of_the_page():
    lines = [line for line in LINES if line.startswith("curl")]
    for place_of_ours, page in PLACES.items():
        lines = [line.replace(place_of_ours, page) for line in lines]
    ours = {title: (line, int(status)) for (title, status), line in zip(TITLES, lines, strict=True)}
    assert ours == {title: (line, status) for title, (line, status, _) in PAGE.items()}


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_each_line_gives_the_page_s_status_in_a_shell():
    statuses = []
    with started_place() as directory, serving(directory, *LIGHT) as server:
        given = {"POSTHOG_HOST": server.url, "POSTHOG_PERSONAL_API_KEY": server.printed("API key")}
        environment = {**os.environ, **given}
        for line in LINES:
            if line.startswith("curl"):
                statuses.append(bash(f"{line} -sS -o /dev/null -w '%{{http_code}}'", environment))
            elif kept := re.match(r"export (\w+)=\$\(", line):
                environment[kept[1]] = bash(f"{line}; printf %s ${kept[1]}", environment)
                assert environment[kept[1]]
        assert server.complaints() == []
    assert statuses == [status for _, status in TITLES]

"""The page of the lab against what clients send to the server: it shows all of that as text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.attacks.marked_world import MARK
from tests.attacks.test_console_attacks import SCRIPTS, Page
from tests.conftest import Cast
from tests.console.conftest import Console
from tests.support.lab_without_server import Lab, running_lab

PAGE = "/admin/lab/"


@pytest.fixture
def lab(db: None, settings: Any, tmp_path: Path) -> Iterator[Lab]:
    with running_lab(settings, tmp_path) as running:
        yield running


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_client_sends_to_the_lab_is_shown_as_text(cast: Cast, lab: Lab, script: str):
    """In the path, the query, the headers and the body of a request, and in every text of a fault."""
    in_path = script.replace(" ", "%20")
    sent = {"X-Script": script, f"X-{MARK}": "1", "Referer": script}
    assert lab.call("GET", f"/api/{in_path}/?search={in_path}", **sent) == 503
    assert lab.call("POST", "/api/projects/", {script: [script]}, **sent) == 503
    assert lab.call("POST", "/api/projects/", script, **{**sent, "Content-Type": "text/html"}) == 503
    lab.order(path=script, key=script, answer={"status": 200, "headers": {MARK: script}, "body": {script: script}})
    page = Console(cast.alice).read(PAGE)
    assert page.count(MARK) >= 14
    assert Page(page).found == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_an_address_of_the_lab_says_is_shown_as_text(cast: Cast, lab: Lab, script: str):
    lab.call("GET", "/api/projects/")
    console = Console(cast.alice)
    for name in ("path", "method", "status", script):
        assert Page(console.read(f"{PAGE}?{urlencode({name: script})}")).found == []
    assert MARK in console.read(f"{PAGE}?{urlencode({'path': script})}")

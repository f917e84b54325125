"""A server, a Chromium that finds no host but that one, and where pictures go. Not a conftest: it needs playwright."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState, expect, sync_playwright

from tests.suites.browser.watching import PUBLIC_NAME, Watched, watching
from tests.support.places import place
from tests.support.serving import LIGHT, Serve, serving

RESOLVER = f"--host-resolver-rules=MAP {PUBLIC_NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="session")
def server() -> Iterator[Serve]:
    with place() as parent, serving(parent / "data", *LIGHT, ALLOWED_HOSTS=f"127.0.0.1,{PUBLIC_NAME}") as running:
        yield running
        assert running.complaints() == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: install the package 'chromium'"
    options = [RESOLVER, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=options)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the pictures: SCREENSHOTS, else one of pytest's."""
    directory = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def watched(browser: Browser, pictures: Path) -> Iterator[Watched]:
    with watching(browser, pictures) as page:
        yield page


@pytest.fixture(scope="session")
def session(browser: Browser, pictures: Path, server: Serve) -> StorageState:
    """Log in, once for all: a password can be tried so many times a minute."""
    with watching(browser, pictures) as watched:
        page = watched.page
        address, email, password = parts(server)
        page.goto(address)
        watched.picture("console-login")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("failing cohorts")).to_be_visible()
        watched.picture("console-first")
        assert watched.complaints == []
        return page.context.storage_state()


def parts(server: Serve) -> tuple[str, ...]:
    """Return what `serve` prints of the console: its address, an email, a password."""
    found = re.fullmatch(r"(\S+), as (\S+) with the first password (\S+)", server.printed("console"))
    assert found
    return found.groups()

"""The pages in a real browser: they load, ask no other host, and what they offer works. Run: make browser-test."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.browser.watching import PUBLIC_NAME, Watched, watching
from tests.management.serving import PATIENCE, Serve

pytest_plugins = ("tests.browser.fixtures",)

#: Each page, and what is there once it is drawn.
PAGES = {
    "/": "text=Try every operation",
    "/api/schema/swagger-ui/": "#operations-annotations-annotations_list",
    "/api/schema/redoc/": "[id='tag/annotations/operation/annotations_list']",
}
#: A browser says so on a public host without TLS, and ignores the header.
HEADER_OF_TLS = "error: The Cross-Origin-Opener-Policy header has been ignored"
#: How people look at them.
LOOKS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True},
    "dark": {"color_scheme": "dark"},
}


def name_of(path: str) -> str:
    return path.strip("/").rpartition("/")[2] or "index"


@pytest.mark.parametrize("is_public", [False, True])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_whole_and_asks_no_other_host(watched: Watched, server: Serve, path: str, is_public: bool):
    url = server.url.replace("127.0.0.1", PUBLIC_NAME) if is_public else server.url
    watched.page.goto(url + path)
    expect(watched.page.locator(PAGES[path])).to_be_visible(timeout=PATIENCE * 1000)
    watched.page.wait_for_load_state("networkidle")
    watched.picture(f"{name_of(path)}{'-public' if is_public else ''}")
    assert [each for each in watched.complaints if HEADER_OF_TLS not in each] == []
    assert watched.hosts() == {url.removeprefix("http://")}


@pytest.mark.parametrize(("path", "look"), [("/", "dark"), *((path, "phone") for path in PAGES)])
def test_a_page_fits(browser: Browser, pictures: Path, server: Serve, path: str, look: str):
    with watching(browser, pictures, **LOOKS[look]) as watched:
        watched.page.goto(server.url + path)
        expect(watched.page.locator(PAGES[path])).to_be_visible(timeout=PATIENCE * 1000)
        watched.picture(f"{name_of(path)}-{look}")
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.complaints == []


def test_every_link_of_the_first_page_works(watched: Watched, server: Serve):
    watched.page.goto(server.url)
    links = watched.page.locator("a")
    assert links.count() == 6
    for link in links.all():
        answer = watched.page.request.get(server.url + (link.get_attribute("href") or ""))
        assert answer.ok, answer.url


def test_the_schemas_that_the_first_page_links_are_the_same(watched: Watched, server: Serve):
    watched.page.goto(server.url)
    with watched.page.expect_download() as download:  # browsers do not show YAML
        watched.page.get_by_role("link", name="YAML").click()
    read = yaml.safe_load(download.value.path().read_text(encoding="utf-8"))
    watched.page.get_by_role("link", name="JSON").click()
    shown = watched.page.locator("pre").inner_text()
    assert json.loads(shown) == read
    assert read["info"]["title"] == "Core6"


def test_the_line_of_the_first_page_works_when_it_is_pasted(watched: Watched, server: Serve):
    server.note("seen by the pasted line")
    watched.page.goto(server.url)
    line = watched.page.locator("pre").inner_text()
    assert server.url in line
    environment = {**os.environ, "POSTHOG_PERSONAL_API_KEY": server.told("API key")}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert "seen by the pasted line" in {row["content"] for row in json.loads(done.stdout)["results"]}

"""The pages in a real browser: they load, ask no other host, and what they offer works. Run: make browser-test."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect

from core6.api.openapi.documents import titles
from tests.suites.browser.watching import PUBLIC_NAME, Watched, watching
from tests.support.serving import PATIENCE, Serve

pytest_plugins = ("tests.suites.browser.fixtures",)

#: Each page, and what is there once it is drawn.
PAGES = {
    "/": "text=Try every operation",
    "/api/schema/swagger-ui/": "#operations-annotations-annotations_list",
    "/api/schema/redoc/": "[id='tag/annotations/operation/annotations_list']",
}
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
    assert watched.complaints == []
    assert watched.hosts() == {url.removeprefix("http://")}


@pytest.mark.parametrize(("path", "look"), [("/", "dark"), *((path, "phone") for path in PAGES)])
def test_a_page_fits(browser: Browser, pictures: Path, server: Serve, path: str, look: str):
    with watching(browser, pictures, **LOOKS[look]) as watched:
        watched.page.goto(server.url + path)
        expect(watched.page.locator(PAGES[path])).to_be_visible(timeout=PATIENCE * 1000)
        watched.picture(f"{name_of(path)}-{look}")
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.complaints == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_no_script_that_was_put_into_it(watched: Watched, server: Serve, path: str):
    watched.page.goto(server.url + path)
    expect(watched.page.locator(PAGES[path])).to_be_visible(timeout=PATIENCE * 1000)
    watched.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.isRun = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=data:, onerror='window.isRun = true'>");
        }"""
    )
    watched.page.wait_for_load_state("networkidle")
    assert watched.page.evaluate("window.isRun") is None
    assert any("Content Security Policy" in each for each in watched.complaints)


def test_what_names_no_icon_has_one_all_the_same(watched: Watched, server: Serve):
    answer = watched.page.request.get(f"{server.url}/favicon.ico")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    watched.page.goto(f"{server.url}/api/schema/?format=json")
    watched.page.wait_for_load_state("networkidle")
    assert watched.complaints == []


def test_redoc_searches(watched: Watched, server: Serve):
    path = "/api/schema/redoc/"
    watched.page.goto(server.url + path)
    expect(watched.page.locator(PAGES[path])).to_be_visible(timeout=PATIENCE * 1000)
    watched.page.get_by_placeholder("Search").fill("rotate")
    found = watched.page.locator("[data-role='search:results']")
    expect(found.get_by_text("rotate", exact=False).first).to_be_visible(timeout=PATIENCE * 1000)
    watched.picture("redoc-search")
    assert watched.complaints == []


@pytest.mark.parametrize("host", ["127.0.0.1", PUBLIC_NAME])
def test_redoc_shows_samples_of_the_host_that_it_is_read_from(watched: Watched, server: Serve, host: str):
    path = "/api/schema/redoc/"
    address = server.url.replace("127.0.0.1", host)
    watched.page.goto(address + path)
    shown = watched.page.locator(PAGES[path])
    expect(shown).to_be_visible(timeout=PATIENCE * 1000)
    expect(shown.get_by_text(f"{address}/api/projects/@current/annotations/").first).to_be_visible()
    assert "core6.example.com" not in watched.page.content()
    assert watched.complaints == []


def test_every_link_of_the_first_page_works(watched: Watched, server: Serve):
    watched.page.goto(server.url)
    links = watched.page.locator("a")
    assert links.count() == 11 + len(titles())
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


def paste(watched: Watched, server: Serve, name: str) -> Any:
    """Run a line of the first page in a shell, with the key in its environment; return the JSON."""
    watched.page.goto(server.url)
    line = watched.page.locator(f"#{name}").inner_text()
    assert server.url in line
    environment = {**os.environ, "POSTHOG_PERSONAL_API_KEY": server.printed("API key")}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return json.loads(done.stdout)


def test_the_lines_of_the_first_page_work_when_they_are_pasted(watched: Watched, server: Serve):
    server.note("seen by the pasted line")
    assert "seen by the pasted line" in {row["content"] for row in paste(watched, server, "get")["results"]}
    made = paste(watched, server, "post")
    assert server.call("GET", f"{server.annotations}{made['id']}/") == (200, made)

"""The first page, the documents and Swagger UI."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from django.test import Client

from core6.api.openapi.documents import titles
from core6.api.openapi.page_operations import PAGE_OPERATIONS
from tests.support.api.schema import SCHEMA
from tests.support.documents import OPERATION


def page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert "Content-Security-Policy" in answer.headers or status == 404
    return answer.content.decode()


def test_the_first_page_leads_to_every_document(client: Client):
    shown = page(client, "/")
    assert set(re.findall(r'href="/docs/(\w+)/"', shown)) >= {path.stem for path in OPERATION.parent.glob("*.md")}
    assert re.search(r"<h1>Core6 <small>(\d+\.\d+\.\d+|development)</small></h1>", shown)
    assert "http://testserver/api/projects/@current/annotations/" in shown


@pytest.mark.parametrize("name", sorted(titles()))
def test_a_document_is_a_page(client: Client, name: str):
    text = (OPERATION.parent / f"{name}.md").read_text()
    shown = page(client, f"/docs/{name}/")
    assert f"<title>{titles()[name]} | Core6</title>" in unescape(shown)
    assert shown.count("<h2>") == len(re.findall(r"^## ", text, re.MULTILINE))
    assert ("<table>" in shown) == ("|---" in text or "| ---" in text)


@pytest.mark.parametrize("name", ["nonsense", "..", "__init__", "README"])
def test_an_unknown_document_is_404(client: Client, name: str):
    page(client, f"/docs/{name}/", 404)


def test_swagger_ui_opens_with_the_operations_of_the_page(client: Client):
    found = re.search(r'data-operations="([^"]*)"', page(client, "/api/schema/swagger-ui/"))
    assert found
    shown = json.loads(unescape(found[1]))
    by_id = {each["operationId"]: path for path, methods in SCHEMA["paths"].items() for each in methods.values()}
    assert len(shown) == len(PAGE_OPERATIONS) == 18
    assert set(shown) <= set(by_id)
    pasted = (Path(OPERATION.parent) / "curl.md").read_text()
    for operation in shown:
        path = re.sub(r"\{(project|organization)_id\}|(?<=projects/)\{id\}", "@current", by_id[operation])
        assert re.sub(r"\{id\}.*", "", path) in pasted


def test_swagger_ui_leads_to_every_operation(client: Client):
    assert 'href="?all"' in page(client, "/api/schema/swagger-ui/")
    assert "Every operation of this server." in page(client, "/api/schema/swagger-ui/?all")

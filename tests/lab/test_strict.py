"""Strictness: what the server would ignore is refused, with a reason and the nearest name."""

import json
import re
from typing import Any, Final

import pytest
from multidict import CIMultiDict

from core6.lab import strict
from core6.lab.parsing import parsed
from core6.lab.refusals import Refused
from tests.support.api.schema import SCHEMA
from tests.support.lab import JSON, Lab

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART: Final = {"Content-Type": "multipart/form-data; boundary=edge"}
NOTES: Final = "/api/projects/1/annotations/"
OPERATIONS: Final = [
    (method, path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
    if method in ("get", "post", "put", "patch", "delete")
]
NAMES: Final = [operation["operationId"] for _, _, operation in OPERATIONS]
#: Names that no operation has.
NONSENSE: Final = "nonsense"


def check(method: str, path: str, query: str = "", body: Any = None, headers: dict[str, str] | None = None) -> None:
    """Check a request; other bodies than bytes are sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    strict.check(parsed(method.upper(), path, query, CIMultiDict(JSON if headers is None else headers), content))


def refusal(*request: Any, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        check(*request, **more)
    return caught.value


def samples(operation: dict[str, Any]) -> list[Any]:
    """Return the bodies that the schema shows for an operation, and one of all its fields; [None] where it has none."""
    if "requestBody" not in operation:
        return [None]
    described = operation["requestBody"]["content"]["application/json"]
    component = SCHEMA["components"]["schemas"][described["schema"]["$ref"].rpartition("/")[2]]
    examples = [each["value"] for each in described.get("examples", {}).values()]
    return [*examples, {}, dict.fromkeys(component["properties"]), {"personal_api_key": "phx_x"}]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_what_the_schema_describes_passes_and_anything_more_is_refused(
    method: str, path: str, operation: dict[str, Any]
):
    path = re.sub(r"\{\w+\}", "1", path)
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    for body in samples(operation):
        for query in ("", "personal_api_key=phx_x", "&".join(f"{name}=1" for name in known)):
            check(method, path, query, body)
        check(method, path.rstrip("/"), "", body)
        found = refusal(method, path, f"{NONSENSE}=", body)
        assert (found.status, found.code, found.attr) == (400, "unknown_parameter", NONSENSE)
        if isinstance(body, dict):
            found = refusal(method, path, "", {**body, NONSENSE: None})
            assert (found.status, found.code, found.attr) == (400, "unknown_field", NONSENSE)
    if method == "get":
        check("head", path)
        assert refusal("head", path, f"{NONSENSE}=").code == "unknown_parameter"


def test_there_are_samples_of_most_operations_with_a_body():
    found = [len(samples(operation)) for _, _, operation in OPERATIONS if "requestBody" in operation]
    assert sum(count > 3 for count in found) > 20


@pytest.mark.parametrize(
    ("request_", "detail"),
    [
        (("post", NOTES, "", {"contnet": "x"}), "Unknown field contnet: did you mean content?"),
        (("post", NOTES, "", {"Content": "x"}), "Unknown field Content: did you mean content?"),
        (("post", NOTES, "", {"zzz": "x"}), "Unknown field zzz: the server would ignore it."),
        (("post", NOTES, "", {"id": 1}), "Unknown field id: the server would ignore it."),
        (("get", NOTES, "limt=1"), "Unknown query parameter limt: did you mean limit?"),
        (("get", NOTES, "limit=1&limit=2&x=%ff"), "Unknown query parameter x: the server would ignore it."),
        (("get", NOTES, f"{'x' * 5000}=1"), f"Unknown query parameter {'x' * 100}: the server would ignore it."),
    ],
    ids=str,
)
def test_the_reason_names_the_nearest(request_: tuple[Any, ...], detail: str):
    assert refusal(*request_).detail == detail


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "Application/JSON; charset=UTF-8"}, b'{"nonsense": 1}'),
        (JSON, b"nonsense=1&content=x"),
        (FORM, b"content=x&nonsense="),
        (FORM, b"nonsense[0]=x"),
        (MULTIPART, b'--edge\r\nContent-Disposition: form-data; name="nonsense"\r\n\r\nx\r\n--edge--\r\n'),
        (
            MULTIPART,
            b'--edge\r\nContent-Disposition: form-data; name="nonsense"; filename="a.csv"\r\n\r\nx\r\n--edge--\r\n',
        ),
    ],
    ids=str,
)
def test_an_unknown_field_is_found_in_each_kind_of_body(headers: dict[str, str], body: bytes):
    assert refusal("post", NOTES, body=body, headers=headers).attr == NONSENSE


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, b"content=x&scope=project"),
        *((JSON, body) for body in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000, b'"nonsense"')),
        ({"Content-Type": "text/plain"}, b"nonsense"),
        ({"Content-Type": "multipart/form-data"}, b"nonsense"),
        (FORM, b"&".join([b"nonsense=1"] * 1001)),
        ({**JSON, "Content-Encoding": "gzip"}, b'{"nonsense": 1}'),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_body_that_the_server_refuses_itself_is_left_to_it(headers: dict[str, str], body: bytes):
    check("post", NOTES, body=body, headers=headers)


def test_a_query_that_the_server_refuses_itself_is_left_to_it():
    check("get", NOTES, "&".join(["nonsense=1"] * 1001))


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/projects/1/annotation/", "/api/projects/{project_id}/annotations/"),
        ("/api/project/", "/api/projects/"),
        ("/api/projects/1/insights/", "insights"),
        ("/api/projects/1/feature_flags/5/", "feature_flags"),
        ("/capture/", "Core6 does not have /capture/."),
        ("/api/projects/1/annotations/1/2/", "Endpoint not found."),
        ("/%2Fapi/projects/", ""),
        ("//api/projects/", ""),
    ],
)
def test_an_endpoint_that_is_not_there_is_501_and_names_the_nearest(path: str, named: str):
    found = refusal("get", path)
    assert (found.status, found.code) == (501, "not_emulated")
    assert named in found.detail


@pytest.mark.parametrize(
    "path",
    ["/", "/admin", "/admin/login/", "/docs/curl/", "/_livez", "/metrics", "/api/schema/", "/api/schema/swagger-ui/"],
)
def test_pages_are_no_endpoints(path: str):
    check("get", path, "anything=1")


def test_a_method_that_an_endpoint_does_not_have_is_left_to_the_server():
    check("delete", NOTES, "nonsense=1")
    check("options", NOTES, "nonsense=1")


def test_a_strict_lab_refuses_and_does_nothing_and_another_answers_as_ever(lab: Lab):
    wrong: list[tuple[str, str, Any, int, str]] = [
        ("GET", f"{lab.notes}?serch=x", None, 400, "unknown_parameter"),
        ("POST", lab.notes, {"content": "strict", "scop": "project"}, 400, "unknown_field"),
        ("GET", "/api/projects/1/insights/", None, 501, "not_emulated"),
    ]
    assert lab.ask("PUT", "strict", {"enabled": True}) == {"enabled": True}
    for method, path, body, status, code in wrong:
        answer = lab.send(method, path, body, {"X-Request-Id": "chosen"})
        assert (answer.status, answer.json["code"]) == (status, code)
        assert (answer.headers["X-Request-Id"], answer.headers["Cache-Control"]) == ("chosen", "no-store")
    assert lab.send("GET", f"{lab.notes}?search=strict&limit=5").json["results"] == []
    assert lab.send("POST", lab.notes, {"content": "exact", "scope": "project"}).status == 201
    assert [row["status"] for row in lab.journal()] == [400, 400, 501, 200, 201]
    assert lab.ask("GET", "strict") == {"enabled": True}
    assert lab.send("GET", "/admin/login/").status == 200
    lab.ask("PUT", "strict", {"enabled": False})
    assert [lab.send(method, path, body).status for method, path, body, _, _ in wrong] == [200, 201, 404]


@pytest.mark.parametrize("body", [{}, {"enabled": None}, {"enabled": "true"}, {"enabled": 1}], ids=str)
def test_strictness_is_on_or_off(lab: Lab, body: dict[str, Any]):
    assert lab.send("PUT", "/_lab/strict", body, key=None).json["attr"] == "enabled"
    assert lab.ask("GET", "strict") == {"enabled": False}

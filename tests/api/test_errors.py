import gzip
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import BadRequest, ObjectDoesNotExist, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import ValidationError

from annotations.models import Annotation
from annotations.views import AnnotationViewSet
from core6.accounts import keys
from core6.accounts.models import User
from projects.models import Project
from tests.conftest import Caller, Cast, error, invalid, missing
from tests.support.settings import python
from tests.support.urls import annotations_url as url

KEY = keys.generate()
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/api/", "/api/nonsense/", "/api/projects/1/nonsense", "/nonsense"])
def test_an_unknown_path_is_404_for_anybody(nobody: Caller, path: str):
    response = nobody.get(path)
    assert (response.status_code, response.json()) == (404, missing("Endpoint not found."))
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/projects/1/insights/", "insights"),
        ("/api/projects/1/insights/5/sharing/", "insights"),
        ("/api/organizations/1/feature_flags/copy_flags/", "feature_flags"),
    ],
)
def test_the_404_of_an_endpoint_of_the_real_service_says_that_it_is_missing_here(nobody: Caller, path: str, name: str):
    expected = f"Endpoint not found. Core6 does not have {name}: /api/schema/swagger-ui/ shows what it has."
    assert nobody.get(path).json() == missing(expected)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nonsense/", "/api/projects/1/nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_unknown_paths_in_debug_mode(nobody: Caller, settings, path: str, method: str, accept: str):
    settings.DEBUG = True
    response = nobody.request(method, path, headers={"Accept": accept})
    assert (response.status_code, response.json()) == (404, missing("Endpoint not found."))
    assert response["Content-Type"] == "application/json"


@pytest.fixture
def in_debug_mode(settings) -> None:
    settings.DEBUG = True
    settings.MIDDLEWARE = ["core6.api.debug_mode.NoDebugPagesMiddleware", *settings.MIDDLEWARE]


class Broken:
    """Fails, as middleware outside every view may."""

    raised: Exception

    def __init__(self, get_response: object) -> None:
        pass

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise self.raised


@pytest.mark.parametrize(
    ("raised", "status", "body"),
    [
        (RuntimeError("secret"), 500, error("server_error", "error", "A server error occurred.")),
        (SuspiciousOperation("secret"), 400, error("invalid_request", "bad_request", "Bad request.")),
        (BadRequest("secret"), 400, error("invalid_request", "bad_request", "Bad request.")),
        (Http404("secret"), 404, missing("Endpoint not found.")),
    ],
)
def test_what_is_raised_outside_a_view_in_debug_mode(
    in_debug_mode: None,
    nobody: Caller,
    settings,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    status: int,
    body: dict,
):
    monkeypatch.setattr(Broken, "raised", raised, raising=False)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.api.test_errors.Broken"]
    nobody.client.raise_request_exception = False
    for accept in ("*/*", "text/html"):
        # A fixture checks that the key is in no log either.
        response = nobody.client.get("/api/users/@me/", {"personal_api_key": KEY}, headers={"Accept": accept})
        assert (response.status_code, response.json()) == (status, body)


def test_what_is_raised_in_a_view_in_debug_mode(
    in_debug_mode: None, cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch
):
    def fail(*args: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(AnnotationViewSet, "in_scope", fail)
    response = alice.client.get(url(cast), {"search": "x"}, headers={"Accept": "application/json, text/html"})
    assert (response.status_code, response.json()) == (500, error("server_error", "error", "A server error occurred."))


def test_a_host_that_is_not_allowed_in_debug_mode(in_debug_mode: None, nobody: Caller):
    response = nobody.client.get("/api/users/@me/", headers={"Host": "evil.example", "Accept": "text/html"})
    expected = error("invalid_request", "bad_request", "Invalid Host header: add the host to ALLOWED_HOSTS.")
    assert (response.status_code, response.json()) == (400, expected)


def test_pages_stay_pages_in_debug_mode(in_debug_mode: None, nobody: Caller):
    for path in ("/", "/api/schema/swagger-ui/", "/api/schema/redoc/"):
        response = nobody.get(path)
        assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_debug_mode_turns_that_on(tmp_path: Path):
    code = "from core6 import settings; print('core6.api.debug_mode.NoDebugPagesMiddleware' in settings.MIDDLEWARE)"
    for debug, shown in (("true", "True"), ("false", "False")):
        assert python(code, DEBUG=debug, CORE6_DATA_DIR=str(tmp_path)).stdout.strip() == shown


@pytest.mark.parametrize("path", ["/api/schema/", "/api/schema/swagger-ui/", "/api/schema/redoc/"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_errors_of_the_documentation_are_json(nobody: Caller, path: str, accept: str):
    for method in ("POST", "DELETE"):
        response = nobody.request(method, path, headers={"Accept": accept})
        if response.status_code != 406:
            assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
        assert response["Content-Type"] == "application/json"
    response = nobody.client.get(path, headers={"Accept": "image/png"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


def test_a_host_that_is_not_allowed(cast: Cast, alice: Caller):
    response = alice.client.get(url(cast), headers={"Host": "evil.example"})
    expected = error("invalid_request", "bad_request", "Invalid Host header: add the host to ALLOWED_HOSTS.")
    assert (response.status_code, response.json()) == (400, expected)


def test_an_accept_header_that_cannot_be_met(cast: Cast, alice: Caller):
    response = alice.client.get(url(cast), headers={"Accept": "text/csv"})
    expected = error("invalid_request", "not_acceptable", "Could not satisfy the request Accept header.")
    assert (response.status_code, response.json()) == (406, expected)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "detail"),
    [
        ("{", "application/json", 400, "parse_error", "Expecting property name"),
        ("nonsense", "application/json", 400, "parse_error", "Expecting value: line 1 column 1 (char 0)"),
        (b"\xef\xbb\xbf{}", "application/json", 400, "parse_error", "Unexpected UTF-8 BOM"),
        (b'{"content": "\xff"}', "application/json", 400, "parse_error", "can't decode byte 0xff"),
        ('{"content": NaN}', "application/json", 400, "parse_error", "NaN is no JSON number"),
        ('{"content": -Infinity}', "application/json", 400, "parse_error", "-Infinity is no JSON number"),
        ('{"content": 1e999}', "application/json", 400, "parse_error", "1e999 is out of range"),
        ('{"content": "\\ud800"}', "application/json", 400, "parse_error", "a lone surrogate is no character"),
        ('{"a": ' * 65 + "1" + "}" * 65, "application/json", 400, "parse_error", "nested more than 64 deep"),
        ("[" * 100_000 + "]" * 100_000, "application/json", 400, "parse_error", "nested more than 64 deep"),
        ("{}", "text/plain", 415, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
        ("{}", "application/json; charset=utf-16", 415, "unsupported_media_type", 'Unsupported charset "utf-16"'),
        ("a=b", f"{FORM}; charset=klingon", 415, "unsupported_media_type", 'Unsupported charset "klingon"'),
        ("x", "multipart/form-data", 400, "parse_error", "Multipart form parse error"),
        ("&".join("a=1" for _ in range(1001)), FORM, 400, "bad_request", "The request has too many fields"),
    ],
)
def test_bodies_that_cannot_be_read(
    cast: Cast, alice: Caller, body: str | bytes, content_type: str, status: int, code: str, detail: str
):
    response = alice.post(url(cast), body, content_type=content_type)
    answer = response.json()
    assert (response.status_code, answer["type"], answer["code"]) == (status, "invalid_request", code)
    assert detail in answer["detail"]
    assert answer["attr"] is None
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("body", ['{"content": "\\ud83e\\udd94"}', '{"content": "' + "[{" * 100 + '"}', " {} ", ""])
def test_bodies_that_only_look_bad(cast: Cast, alice: Caller, body: str):
    assert alice.post(url(cast), body).status_code == 201


def test_a_compressed_body_is_refused(cast: Cast, alice: Caller):
    response = alice.post(url(cast), gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", FORM, "multipart/form-data; boundary=x"])
def test_too_large_a_body_is_refused(cast: Cast, alice: Caller, settings, content_type: str):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = alice.post(url(cast), " " * 1001, content_type=content_type)
    expected = error("invalid_request", "request_too_large", "The request body is too large: send at most 10 MB.")
    assert (response.status_code, response.json()) == (413, expected)


def caused_by(exception: Exception, cause: Exception) -> Exception:
    exception.__cause__ = cause
    return exception


UNAVAILABLE = error("server_error", "service_unavailable", "The database is not available at the moment: try again.")


@pytest.mark.parametrize(
    ("raised", "status", "body"),
    [
        (Http404("secret"), 404, missing()),
        (ObjectDoesNotExist("secret"), 404, missing()),
        (User.DoesNotExist("secret"), 404, missing()),
        (SuspiciousOperation("secret"), 400, error("invalid_request", "bad_request", "Bad request.")),
        (ModelValidationError({"name": ["Too odd."]}), 400, invalid("invalid_input", "Too odd.", "name")),
        (ModelValidationError("Too odd."), 400, invalid("invalid_input", "Too odd.")),
        (ValidationError({"a": []}), 400, invalid("invalid_input", "Invalid input.")),
        (ValidationError({"a": [], "b": {"c": ["Bad."]}}), 400, invalid("invalid_input", "Bad.", "b__c")),
        (ValidationError({"a": [{}, {"b": ["Bad."]}]}), 400, invalid("invalid_input", "Bad.", "a__1__b")),
        (ValidationError([{}, {"b": ["Bad."]}]), 400, invalid("invalid_input", "Bad.", "1__b")),
        (
            caused_by(IntegrityError("secret"), psycopg.errors.UniqueViolation()),
            400,
            invalid("unique", "There is already such an object."),
        ),
        (
            caused_by(IntegrityError("secret"), psycopg.errors.ForeignKeyViolation()),
            400,
            invalid("does_not_exist", "An object that the request names does not exist."),
        ),
        (DataError("secret"), 400, invalid("invalid_input", "A value cannot be stored.")),
        (OperationalError("secret"), 503, UNAVAILABLE),
        (InterfaceError("secret"), 503, UNAVAILABLE),
        (RuntimeError("secret"), 500, error("server_error", "error", "A server error occurred.")),
    ],
)
def test_what_is_raised_in_a_view(
    cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, body: dict
):
    def fail(*args: object) -> None:
        raise raised

    monkeypatch.setattr(AnnotationViewSet, "in_scope", fail)
    response = alice.get(url(cast), search="x")
    assert (response.status_code, response.json()) == (status, body)
    assert ("Retry-After" in response) == (status == 503)


def test_an_unknown_error_is_logged_and_not_shown_to_the_caller(
    cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*args: object) -> None:
        raise RuntimeError("the reason")

    monkeypatch.setattr(AnnotationViewSet, "in_scope", fail)
    alice.get(url(cast), search="x")
    assert "the reason" in caplog.text
    assert str(alice.key) not in caplog.text


@pytest.mark.parametrize("raised", [RuntimeError("secret"), OperationalError("secret"), IntegrityError("secret")])
def test_no_error_logs_a_key_of_any_part_of_the_request(
    cast: Cast, nobody: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, raised: Exception
):
    """The fixture `no_key_is_logged` looks."""

    def fail(*args: object) -> None:
        raise raised

    monkeypatch.setattr(AnnotationViewSet, "perform_create", fail)
    key = cast.key(cast.alice)
    for response in (
        Caller(key).post(url(cast)),
        nobody.post(url(cast), {"personal_api_key": key}),
        nobody.post(f"{url(cast)}?personal_api_key={key}", {"content": key}),
    ):
        assert response.status_code >= 500
    assert "secret" in caplog.text


def test_a_row_that_is_logged_shows_no_token(
    cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Postgres names the whole row that breaks a rule, and the driver's exception repeats it."""

    def fail(*args: object) -> None:
        with transaction.atomic():
            Project.objects.filter(pk=cast.web.pk).update(name=None)

    monkeypatch.setattr(AnnotationViewSet, "perform_create", fail)
    assert alice.post(url(cast)).status_code == 500
    assert 'null value in column "name"' in caplog.text
    assert "Failing row contains …\n" in caplog.text
    assert cast.web.api_token not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_left_alone_for_too_long_is_503(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch):
    cast = committed_cast
    note = Annotation.objects.create(organization=cast.acme, project=cast.web)
    update = AnnotationViewSet.perform_update

    def late(self: Any, serializer: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        time.sleep(0.3)
        update(self, serializer)

    monkeypatch.setattr(AnnotationViewSet, "perform_update", late)
    response = cast.caller(cast.alice).patch(f"{url(cast)}{note.pk}/", {"scope": "project"})
    assert (response.status_code, response.json()) == (503, UNAVAILABLE)
    monkeypatch.undo()
    assert cast.caller(cast.alice).patch(f"{url(cast)}{note.pk}/", {"scope": "project"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_read_that_waits_for_too_long_is_503_and_waits_once(committed_cast: Cast):
    cast = committed_cast
    alice = cast.caller(cast.alice)
    alice.get(url(cast))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    other = connection.copy()
    try:
        with other.cursor() as holder:
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE accounts_personalapikey")
            with CaptureQueriesContext(connection) as queries:
                response = alice.get(url(cast))
    finally:
        other.close()
        connection.close()
    assert (response.status_code, response.json(), response["Retry-After"]) == (503, UNAVAILABLE, "1")
    assert len(queries) == 1
    assert alice.get(url(cast)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_503_and_survived(committed_cast: Cast):
    cast = committed_cast
    alice = cast.caller(cast.alice)
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nonexistent"
    try:
        response = alice.get(url(cast))
    finally:
        connection.settings_dict["HOST"] = host
        connection.close()
    assert (response.status_code, response.json()) == (503, UNAVAILABLE)
    assert response["Retry-After"] == "1"
    assert alice.get(url(cast)).status_code == 200


@pytest.mark.parametrize("parent", ["projects", "environments"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_is_501_with_a_sentence(nobody: Caller, parent: str, method: str):
    response = nobody.request(method, f"/api/{parent}/1/query/")
    assert response.status_code == 501
    assert response.json()["code"] == "not_emulated"
    assert response.json()["detail"].startswith("Core6 runs no queries: ")

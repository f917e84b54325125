"""Every operation of the schema, tried by every kind of caller. A new operation without a row fails the suite."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from annotations.models import Annotation
from core6.accounts.models import Level, PersonalAPIKey
from tests.conftest import Caller, Cast, error, missing, refused


@dataclass(frozen=True)
class Operation:
    """One row: what the operation needs, and what it answers to whoever may."""

    method: str
    path: str
    scope: str
    success: int
    level: int = Level.MEMBER
    body: Any = None

    def url(self, cast: Cast) -> str:
        note, _ = Annotation.objects.get_or_create(organization=cast.acme, project=cast.web)
        return self.path.format(project_id=cast.web.pk, id=note.pk, organization_id=cast.acme.pk)

    def call(self, caller: Caller, cast: Cast) -> Any:
        return caller.request(self.method, self.url(cast), self.body)


ANNOTATIONS = "/api/projects/{project_id}/annotations/"
MATRIX = {
    "annotations_list": Operation("GET", ANNOTATIONS, "annotation:read", 200),
    "annotations_create": Operation("POST", ANNOTATIONS, "annotation:write", 201, body={}),
    "annotations_retrieve": Operation("GET", ANNOTATIONS + "{id}/", "annotation:read", 200),
    "annotations_update": Operation("PUT", ANNOTATIONS + "{id}/", "annotation:write", 200, body={}),
    "annotations_partial_update": Operation("PATCH", ANNOTATIONS + "{id}/", "annotation:write", 200, body={}),
    "annotations_destroy": Operation("DELETE", ANNOTATIONS + "{id}/", "annotation:write", 405),
    "annotations_all_activity": Operation("GET", ANNOTATIONS + "activity/", "activity_log:read", 200),
    "annotations_activity": Operation("GET", ANNOTATIONS + "{id}/activity/", "activity_log:read", 200),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def schema_operations() -> dict[str, tuple[str, str]]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_operation_of_the_schema_has_its_row():
    assert {name: (row.method, row.path) for name, row in MATRIX.items()} == schema_operations()


def missing_scope(row: Operation) -> dict[str, Any]:
    return refused(f"API key missing required scope '{row.scope}'")


def bad_key() -> dict[str, Any]:
    detail = "Personal API key found in request Authorization header is invalid."
    return error("authentication_error", "authentication_failed", detail)


NO_KEY = error("authentication_error", "not_authenticated", "Authentication credentials were not provided.")
TOO_LOW = "Your organization access level is insufficient."


def inactive(cast: Cast) -> Caller:
    caller = cast.caller(cast.alice)
    cast.alice.is_active = False
    cast.alice.save()
    return caller


def revoked(cast: Cast) -> Caller:
    caller = cast.caller(cast.alice)
    PersonalAPIKey.objects.all().delete()
    return caller


def null_scopes(cast: Cast) -> Caller:
    caller = cast.caller(cast.alice)
    PersonalAPIKey.objects.update(scopes=None)
    return caller


def empty_scopes(cast: Cast) -> Caller:
    caller = cast.caller(cast.alice)
    PersonalAPIKey.objects.update(scopes=[])
    return caller


# Who calls; how the answer follows from the row: None for success, else (status, body).
type_of_answer = Callable[[Operation, Cast], tuple[int, Any] | None]
CALLERS: dict[str, tuple[Callable[[Operation, Cast], Caller], type_of_answer]] = {
    "no key": (lambda row, cast: Caller(None), lambda row, cast: (401, NO_KEY)),
    "a bad key": (lambda row, cast: Caller("phx_nonsense"), lambda row, cast: (401, bad_key())),
    "a revoked key": (lambda row, cast: revoked(cast), lambda row, cast: (401, bad_key())),
    "an inactive user": (lambda row, cast: inactive(cast), lambda row, cast: (401, bad_key())),
    "the right scope": (lambda row, cast: cast.caller(cast.alice, row.scope), lambda row, cast: None),
    "write for read": (
        lambda row, cast: cast.caller(cast.alice, row.scope.replace(":read", ":write")),
        lambda row, cast: None,
    ),
    "read for write": (
        lambda row, cast: cast.caller(cast.alice, row.scope.replace(":write", ":read")),
        lambda row, cast: (403, missing_scope(row)) if row.scope.endswith(":write") else None,
    ),
    "another scope": (
        lambda row, cast: cast.caller(cast.alice, "person:write", "insight:read"),
        lambda row, cast: (403, missing_scope(row)),
    ),
    "no scopes": (lambda row, cast: empty_scopes(cast), lambda row, cast: (403, missing_scope(row))),
    "null scopes": (lambda row, cast: null_scopes(cast), lambda row, cast: (403, missing_scope(row))),
    "all scopes": (lambda row, cast: cast.caller(cast.alice), lambda row, cast: None),
    "another organization's owner": (
        lambda row, cast: cast.caller(cast.dave),
        lambda row, cast: (403, refused("You don't have access to the project.")),
    ),
    "another organization's owner without the scope": (
        lambda row, cast: cast.caller(cast.dave, "person:read"),
        lambda row, cast: (403, missing_scope(row)),
    ),
    "a key for this project": (
        lambda row, cast: cast.caller(cast.alice, scoped_teams=[cast.web.pk]),
        lambda row, cast: None,
    ),
    "a key for another project": (
        lambda row, cast: cast.caller(cast.alice, "person:read", scoped_teams=[cast.app.pk]),
        lambda row, cast: (403, refused(f"API key does not have access to the requested project: ID {cast.web.pk}.")),
    ),
    "a key for this organization": (
        lambda row, cast: cast.caller(cast.alice, scoped_organizations=[cast.acme.pk]),
        lambda row, cast: None,
    ),
    "a key for another organization": (
        lambda row, cast: cast.caller(cast.alice, "person:read", scoped_organizations=[cast.globex.pk]),
        lambda row, cast: (
            403,
            refused(f"API key does not have access to the requested organization: ID {cast.acme.pk}."),
        ),
    ),
    "an owner": (lambda row, cast: cast.caller(cast.alice), lambda row, cast: None),
    "an administrator": (
        lambda row, cast: cast.caller(cast.bob),
        lambda row, cast: (403, refused(TOO_LOW)) if row.level > Level.ADMIN else None,
    ),
    "a member": (
        lambda row, cast: cast.caller(cast.carol),
        lambda row, cast: (403, refused(TOO_LOW)) if row.level > Level.MEMBER else None,
    ),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_permission(cast: Cast, operation: str, caller: str):
    row, (make, answer) = MATRIX[operation], CALLERS[caller]
    response = row.call(make(row, cast), cast)
    expected = answer(row, cast)
    if expected is None:
        assert response.status_code == row.success
    else:
        assert (response.status_code, response.json()) == expected
    assert ("WWW-Authenticate" in response) == (response.status_code == 401)


@pytest.mark.parametrize("operation", MATRIX)
@pytest.mark.parametrize(
    "segment", ["999999", "abc", "1.5", "9" * 19, "phc_token", "01a20e5b-7a93-7462-a49f-99b7316c99a6"]
)
def test_an_unknown_project_is_404_before_any_scope_is_asked_for(cast: Cast, operation: str, segment: str):
    row = MATRIX[operation]
    if "{project_id}" not in row.path:
        pytest.skip("not below a project")
    path = row.path.format(project_id=segment, id=1)
    refusal = cast.caller(cast.alice, "person:read").request(row.method, path, row.body)
    assert (refusal.status_code, refusal.json()) == (404, missing("Project not found."))
    assert Caller(None).request(row.method, path, row.body).status_code == 401


@pytest.mark.parametrize("path", sorted({row.path for row in MATRIX.values()}))
def test_an_unsupported_method_is_405_and_needs_no_scope(cast: Cast, path: str):
    supported = {row.method for row in MATRIX.values() if row.path == path}
    works = {row.method for row in MATRIX.values() if row.path == path and row.success != 405}
    url = next(row for row in MATRIX.values() if row.path == path).url(cast)
    for method in set(METHODS) - supported:
        response = cast.caller(cast.carol, "person:read").request(method, url, {})
        detail = f'Method "{method}" not allowed.'
        assert (response.status_code, response.json()) == (405, error("invalid_request", "method_not_allowed", detail))
        assert set(response["Allow"].split(", ")) == works | {"HEAD", "OPTIONS"}
        assert cast.caller(cast.dave).request(method, url, {}).status_code == 403
        assert Caller(None).request(method, url, {}).status_code == 401


@pytest.mark.parametrize("operation", MATRIX)
def test_every_path_answers_with_and_without_the_final_slash(cast: Cast, operation: str):
    row = MATRIX[operation]
    url = row.url(cast).removesuffix("/")
    assert cast.caller(cast.alice).request(row.method, url, row.body).status_code == row.success


@pytest.mark.parametrize("operation", [name for name, row in MATRIX.items() if row.method == "GET"])
def test_head_and_options_need_what_reading_needs(cast: Cast, operation: str):
    row = MATRIX[operation]
    url = row.url(cast)
    reader, stranger = cast.caller(cast.carol, row.scope), cast.caller(cast.carol, "person:read")
    head = reader.request("HEAD", url)
    assert (head.status_code, head.content) == (200, b"")
    assert stranger.request("HEAD", url).status_code == 403
    options = reader.request("OPTIONS", url) if row.scope == "annotation:read" else None
    if options:
        assert options.status_code == 200
        assert {"name", "description", "renders", "parses"} <= set(options.json())
    assert stranger.request("OPTIONS", url).status_code == 403

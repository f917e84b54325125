"""Every method of every address, tried by every kind of caller. A new operation without a row fails the suite."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import Level, Membership, PersonalAPIKey
from core6.analytics.models import Person
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast, error, missing, refused
from tests.support.api.schema import SCHEMA
from tests.support.routes import METHODS, api_routes
from tests.support.sampling import sampled

NOT_ALLOWED = refused()
NOT_THEIRS = refused("You don't have access to the project.")
PROJECTS_ONLY = refused("API keys with scoped projects are only supported on project-based endpoints.")
TOO_LOW = "Your organization access level is insufficient."
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """One row: what the operation needs, and what it answers to a caller who may."""

    method: str
    path: str
    scope: str | None
    success: int
    level: int = Level.MEMBER
    body: Any = None
    too_low: str = TOO_LOW
    #: A second scope that is needed.
    also: str | None = None

    def url(self, cast: Cast) -> str:
        note, _ = Annotation.objects.get_or_create(organization=cast.acme, project=cast.web)
        cohort, _ = Cohort.objects.get_or_create(project=cast.web, is_static="duplicate" not in self.path)
        Person.objects.get_or_create(project_id=cast.web.pk)
        role, _ = Role.objects.get_or_create(organization=cast.acme, name="Engineering")
        member = Membership.objects.get(organization=cast.acme, user=cast.bob)
        belongs, _ = RoleMembership.objects.get_or_create(role=role, organization_member=member)
        rows = {
            "annotations": note.pk,
            "cohorts": cohort.pk,
            "roles": role.pk,
            "role_memberships": belongs.pk,
            "organizations": cast.acme.pk,
            "projects": cast.web.pk,
            "environments": cast.web.pk,
        }
        resource = self.path.partition("{id}")[0].strip("/").split("/")[-1]
        return self.path.format(
            project_id=cast.web.pk, organization_id=cast.acme.pk, role_id=role.pk, id=rows.get(resource)
        )

    def sent(self, cast: Cast) -> Any:
        return self.body(cast) if callable(self.body) else self.body

    def call(self, caller: Caller, cast: Cast) -> Any:
        url = self.url(cast)
        return caller.request(self.method, url, self.sent(cast))

    @property
    def place(self) -> str:
        """Return what the operation is about: a "project" or "organization", the project "itself", or the "caller"."""
        if "projects/{id}/" in self.path or "environments/{id}/" in self.path:
            return "itself"
        return next((name for name in ("project", "organization") if f"{{{name}_id}}" in self.path), "caller")

    def to_a_stranger(self, cast: Cast) -> Answer | None:
        """Return the answer to a member of another organization."""
        return {
            "project": (403, NOT_THEIRS),
            "organization": (403, NOT_ALLOWED),
            "itself": (404, missing()),
            "caller": self.foreign,
        }[self.place]

    #: What an operation about the caller answers to one who has no relation to the row in its path.
    foreign: Answer | None = None
    #: Whether a key of some projects only may call an operation about the caller.
    takes_project_keys: bool = False

    def to_a_project_key(self, cast: Cast, project: int) -> Answer | None:
        """Return the answer to a key that is restricted to one project."""
        if self.place in ("project", "itself"):
            detail = f"API key does not have access to the requested project: ID {cast.web.pk}."
            return None if project == cast.web.pk else (403, refused(detail))
        return None if self.takes_project_keys else (403, PROJECTS_ONLY)

    def to_an_organization_key(self, cast: Cast) -> Answer | None:
        """Return the answer to a key that is restricted to another organization."""
        # A project is created in the caller's current organization where the path names none.
        if self.place == "caller" and self.success != 201:
            return self.foreign
        detail = f"API key does not have access to the requested organization: ID {cast.acme.pk}."
        return 403, refused(detail)


ANNOTATIONS = "/api/projects/{project_id}/annotations/"
COHORTS = "/api/projects/{project_id}/cohorts/"
ROLES = "/api/organizations/{organization_id}/roles/"
MEMBERSHIPS = ROLES + "{role_id}/role_memberships/"
PROJECTS, ROOT = "/api/organizations/{organization_id}/projects/", "/api/projects/"
ENVIRONMENTS = "/api/environments/"
NAMED = {"name": "Sales"}
IN_PROJECT = "You don't have sufficient permissions in the project."


def of_project(base: str, prefix: str, bare: str) -> dict[str, Operation]:
    """Return the rows of a project's own operations, which are below its organization and below the root."""
    one = base + "{id}/"
    admin: dict[str, Any] = {"level": Level.ADMIN, "too_low": IN_PROJECT}
    return {
        f"{prefix}list": Operation("GET", base, "project:read", 200),
        f"{prefix}create": Operation("POST", base, "project:write", 201, Level.ADMIN, {}),
        f"{prefix}retrieve": Operation("GET", one, "project:read", 200),
        f"{prefix}update": Operation("PUT", one, "project:write", 200, body={}),
        f"{prefix}partial_update": Operation("PATCH", one, "project:write", 200, body={}),
        f"{prefix}destroy": Operation("DELETE", one, "project:write", 204, **admin),
        f"{prefix}activity_retrieve": Operation("GET", one + "activity/", "activity_log:read", 200),
        f"{bare}complete_product_onboarding_partial_update": Operation(
            "PATCH", one + "complete_product_onboarding/", "project:read", 200, body={"product_type": "surveys"}
        ),
        f"{bare}is_generating_demo_data_retrieve": Operation(
            "GET", one + "is_generating_demo_data/", "project:read", 200
        ),
        f"{bare}generate_conversations_public_token_create": Operation(
            "POST", one + "generate_conversations_public_token/", "project:write", 200, body={}, **admin
        ),
        **{
            f"{bare}{name}_partial_update": Operation("PATCH", f"{one}{name}/", "project:write", 200, body={}, **admin)
            for name in ("reset_token", "rotate_secret_token", "delete_secret_token_backup")
        },
    }


MATRIX = {
    **of_project(PROJECTS, "organizations_projects_", ""),
    **of_project(ROOT, "projects_", "projects_"),
    "annotations_list": Operation("GET", ANNOTATIONS, "annotation:read", 200),
    "annotations_create": Operation("POST", ANNOTATIONS, "annotation:write", 201, body={}),
    "annotations_retrieve": Operation("GET", ANNOTATIONS + "{id}/", "annotation:read", 200),
    "annotations_update": Operation("PUT", ANNOTATIONS + "{id}/", "annotation:write", 200, body={}),
    "annotations_partial_update": Operation("PATCH", ANNOTATIONS + "{id}/", "annotation:write", 200, body={}),
    "annotations_destroy": Operation("DELETE", ANNOTATIONS + "{id}/", "annotation:write", 405),
    "annotations_all_activity_retrieve": Operation("GET", ANNOTATIONS + "activity/", "activity_log:read", 200),
    "annotations_activity_retrieve": Operation("GET", ANNOTATIONS + "{id}/activity/", "activity_log:read", 200),
    "cohorts_list": Operation("GET", COHORTS, "cohort:read", 200),
    "cohorts_create": Operation("POST", COHORTS, "cohort:write", 201, body={}),
    "cohorts_retrieve": Operation("GET", COHORTS + "{id}/", "cohort:read", 200),
    "cohorts_update": Operation("PUT", COHORTS + "{id}/", "cohort:write", 200, body={}),
    "cohorts_partial_update": Operation("PATCH", COHORTS + "{id}/", "cohort:write", 200, body={}),
    "cohorts_destroy": Operation("DELETE", COHORTS + "{id}/", "cohort:write", 405),
    "cohorts_all_activity_retrieve": Operation("GET", COHORTS + "activity/", "activity_log:read", 200),
    "cohorts_activity_retrieve": Operation("GET", COHORTS + "{id}/activity/", "activity_log:read", 200),
    "cohorts_calculation_history_retrieve": Operation("GET", COHORTS + "{id}/calculation_history/", "cohort:read", 200),
    "cohorts_persons_retrieve": Operation("GET", COHORTS + "{id}/persons/", "cohort:read", 200, also="person:read"),
    **{
        f"cohorts_duplicate_as_static_cohort_{name}": Operation(
            method, COHORTS + "{id}/duplicate_as_static_cohort/", "cohort:write", 200
        )
        for method, name in (("GET", "retrieve"), ("POST", "create"))
    },
    "cohorts_add_persons_to_static_cohort_partial_update": Operation(
        "PATCH",
        COHORTS + "{id}/add_persons_to_static_cohort/",
        "cohort:write",
        200,
        body=lambda cast: {"person_ids": [str(Person.objects.get().uuid)]},
    ),
    "cohorts_remove_person_from_static_cohort_partial_update": Operation(
        "PATCH",
        COHORTS + "{id}/remove_person_from_static_cohort/",
        "cohort:write",
        200,
        body=lambda cast: {"person_id": str(Person.objects.get().uuid)},
    ),
    "roles_list": Operation("GET", ROLES, "organization:read", 200),
    "roles_create": Operation("POST", ROLES, "organization:write", 201, Level.ADMIN, NAMED),
    "roles_retrieve": Operation("GET", ROLES + "{id}/", "organization:read", 200),
    "roles_update": Operation("PUT", ROLES + "{id}/", "organization:write", 200, Level.ADMIN, NAMED),
    "roles_partial_update": Operation("PATCH", ROLES + "{id}/", "organization:write", 200, Level.ADMIN, {}),
    "roles_destroy": Operation("DELETE", ROLES + "{id}/", "organization:write", 204, Level.ADMIN),
    "role_memberships_list": Operation("GET", MEMBERSHIPS, "organization:read", 200),
    "role_memberships_create": Operation(
        "POST", MEMBERSHIPS, "organization:write", 201, Level.ADMIN, lambda cast: {"user_uuid": str(cast.carol.uuid)}
    ),
    "role_memberships_retrieve": Operation("GET", MEMBERSHIPS + "{id}/", "organization:read", 200),
    "role_memberships_destroy": Operation("DELETE", MEMBERSHIPS + "{id}/", "organization:write", 204, Level.ADMIN),
    "members_list": Operation("GET", "/api/organizations/{organization_id}/members/", "organization_member:read", 200),
    "users_retrieve": Operation("GET", "/api/users/@me/", "user:read", 200, takes_project_keys=True),
    "personal_api_keys_retrieve": Operation(
        "GET", "/api/personal_api_keys/@current/", None, 200, takes_project_keys=True
    ),
    "organizations_list": Operation("GET", "/api/organizations/", "organization:read", 200),
    "organizations_retrieve": Operation(
        "GET", "/api/organizations/{id}/", "organization:read", 200, foreign=(404, missing())
    ),
}
# Environments are projects by another name.
MATRIX |= {
    f"environments_{name.removeprefix('projects_')}": replace(row, path=row.path.replace(ROOT, ENVIRONMENTS))
    for name, row in MATRIX.items()
    if row.path.startswith(ROOT)
}


def schema_operations() -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in SCHEMA["paths"].items()
        for method, operation in methods.items()
    }


def test_every_operation_of_the_schema_has_its_row():
    assert {name: (row.method, row.path) for name, row in MATRIX.items()} == schema_operations()


def test_every_action_of_every_address_has_its_row():
    routed = {(method, route.template) for route in api_routes().values() for method in route.methods}
    assert {(row.method, row.path) for row in MATRIX.values()} == routed


def missing_scope(row: Operation) -> Answer | None:
    return (403, refused(f"API key missing required scope '{row.scope}'")) if row.scope else None


def bad_key() -> dict[str, Any]:
    detail = "Personal API key found in request Authorization header is invalid."
    return error("authentication_error", "authentication_failed", detail)


NO_KEY = error("authentication_error", "not_authenticated", "Authentication credentials were not provided.")


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


def with_scope(cast: Cast, scope: str | None, also: str | None = None) -> Caller:
    return cast.caller(cast.alice, scope or "insight:read", *([also] if also else []))


def at_level(row: Operation, level: int) -> Answer | None:
    return (403, refused(row.too_low)) if row.level > level else None


# Who calls; how the answer follows from the row: None for success, else (status, body).
CALLERS: dict[str, tuple[Callable[[Operation, Cast], Caller], Callable[[Operation, Cast], Answer | None]]] = {
    "no key": (lambda row, cast: Caller(None), lambda row, cast: (401, NO_KEY)),
    "a bad key": (lambda row, cast: Caller("phx_nonsense"), lambda row, cast: (401, bad_key())),
    "a revoked key": (lambda row, cast: revoked(cast), lambda row, cast: (401, bad_key())),
    "an inactive user": (lambda row, cast: inactive(cast), lambda row, cast: (401, bad_key())),
    "the right scope": (lambda row, cast: with_scope(cast, row.scope, row.also), lambda row, cast: None),
    "write for read": (
        lambda row, cast: with_scope(cast, row.scope and row.scope.replace(":read", ":write"), row.also),
        lambda row, cast: None,
    ),
    "read for write": (
        lambda row, cast: with_scope(cast, row.scope and row.scope.replace(":write", ":read"), row.also),
        lambda row, cast: missing_scope(row) if row.scope and row.scope.endswith(":write") else None,
    ),
    "another scope": (
        lambda row, cast: cast.caller(cast.alice, "person:write", "insight:read"),
        lambda row, cast: missing_scope(row),
    ),
    "no scopes": (lambda row, cast: empty_scopes(cast), lambda row, cast: missing_scope(row)),
    "null scopes": (lambda row, cast: null_scopes(cast), lambda row, cast: missing_scope(row)),
    "all scopes": (lambda row, cast: cast.caller(cast.alice), lambda row, cast: None),
    "another organization's owner": (
        lambda row, cast: cast.caller(cast.dave),
        lambda row, cast: row.to_a_stranger(cast),
    ),
    "another organization's owner without the scope": (
        lambda row, cast: cast.caller(cast.dave, "person:read"),
        lambda row, cast: missing_scope(row) or row.to_a_stranger(cast),
    ),
    "a key for this project": (
        lambda row, cast: cast.caller(cast.alice, scoped_teams=[cast.web.pk]),
        lambda row, cast: row.to_a_project_key(cast, cast.web.pk),
    ),
    "a key for another project": (
        lambda row, cast: cast.caller(cast.alice, scoped_teams=[cast.app.pk]),
        lambda row, cast: row.to_a_project_key(cast, cast.app.pk),
    ),
    "a key for another project without the scope": (
        lambda row, cast: cast.caller(cast.alice, "person:read", scoped_teams=[cast.app.pk]),
        lambda row, cast: row.to_a_project_key(cast, cast.app.pk) or missing_scope(row),
    ),
    "a key for this organization": (
        lambda row, cast: cast.caller(cast.alice, scoped_organizations=[cast.acme.pk]),
        lambda row, cast: None,
    ),
    "a key for another organization": (
        lambda row, cast: cast.caller(cast.alice, scoped_organizations=[cast.globex.pk]),
        lambda row, cast: row.to_an_organization_key(cast),
    ),
    "an owner": (lambda row, cast: cast.caller(cast.alice), lambda row, cast: None),
    "an administrator": (lambda row, cast: cast.caller(cast.bob), lambda row, cast: at_level(row, Level.ADMIN)),
    "a member": (lambda row, cast: cast.caller(cast.carol), lambda row, cast: at_level(row, Level.MEMBER)),
}


#: Environments are the same views at another address: fewer of the callers will do.
CASES = [
    *sampled([(each, caller) for each, row in MATRIX.items() if ENVIRONMENTS not in row.path for caller in CALLERS], 6),
    *sampled([(each, caller) for each, row in MATRIX.items() if ENVIRONMENTS in row.path for caller in CALLERS], 12),
]


@pytest.mark.parametrize(("operation", "caller"), CASES)
def test_a_caller_gets_the_answer_of_the_matrix(cast: Cast, operation: str, caller: str):
    row, (make, answer) = MATRIX[operation], CALLERS[caller]
    response = row.call(make(row, cast), cast)
    expected = answer(row, cast)
    if expected is None:
        assert response.status_code == row.success
    else:
        assert (response.status_code, response.json()) == expected
    assert ("WWW-Authenticate" in response) == (response.status_code == 401)


PARENTS = ("project", "organization")
UNKNOWN = ["999999", "abc", "1.5", "9" * 19, "phc_token", "01a20e5b-7a93-7462-a49f-99b7316c99a6"]


@pytest.mark.parametrize(
    ("operation", "segment"),
    sampled([(name, each) for name, row in MATRIX.items() if row.place in PARENTS for each in UNKNOWN], 6),
)
def test_an_unknown_parent_is_404_before_any_scope_is_checked(cast: Cast, operation: str, segment: str):
    row = MATRIX[operation]
    path = row.path.format(project_id=segment, organization_id=segment, role_id="1", id=1)
    refusal = cast.caller(cast.alice, "person:read").request(row.method, path, {})
    assert (refusal.status_code, refusal.json()) == (404, missing(f"{row.place.capitalize()} not found."))
    assert Caller(None).request(row.method, path, {}).status_code == 401


@pytest.mark.parametrize(
    ("operation", "segment"),
    sampled([(name, each) for name, row in MATRIX.items() if "{id}" in row.path for each in UNKNOWN], 12),
)
def test_an_unknown_object_is_404(cast: Cast, operation: str, segment: str):
    row = MATRIX[operation]
    known = row.url(cast)
    path = row.path.replace("{id}", segment).format(
        project_id=cast.web.pk, organization_id=cast.acme.pk, role_id=Role.objects.get().pk
    )
    assert path != known
    response = cast.caller(cast.alice).request(row.method, path, row.sent(cast))
    if row.place == "itself":
        # The project is the parent of its own paths, too: no scope is checked.
        assert cast.caller(cast.alice, "person:read").request(row.method, path, {}).json() == missing()
    if row.success == 405:
        assert response.status_code == 405  # a hard delete is refused without looking
    else:
        assert (response.status_code, response.json()) == (404, missing())


def without_action(template: str, method: str) -> Operation:
    """Return the row of a method that has no action: it needs no scope and no level, and looks no object up."""
    row = next(row for row in MATRIX.values() if row.path == template)
    success = 200 if method == "OPTIONS" else 405
    return replace(row, method=method, scope=None, also=None, level=Level.MEMBER, foreign=None, success=success)


#: One caller of each kind, for methods that have no action: of those scopes and levels decide nothing.
KINDS = (
    *("no key", "a bad key", "the right scope", "write for read", "a member", "an administrator"),
    *("another organization's owner", "a key for another project", "a key for another organization"),
)
OTHER_METHODS = sampled(
    [
        (template, method)
        for template, route in api_routes().items()
        for method in METHODS
        if method not in route.methods
    ],
    8,
)


@pytest.mark.parametrize(("template", "method"), OTHER_METHODS)
def test_every_other_method_to_every_kind_of_key(cast: Cast, template: str, method: str):
    reading = next((row for row in MATRIX.values() if (row.path, row.method) == (template, "GET")), None)
    if "/duplicate_as_static_cohort/" in template:
        reading = None  # a GET that writes has no HEAD (D65)
    row = reading if method == "HEAD" and reading else without_action(template, method)
    url = row.url(cast)
    for name in KINDS:
        make, answer = CALLERS[name]
        response = make(row, cast).request(method, url, row.sent(cast) if method != "HEAD" else None)
        status, body = answer(row, cast) or (row.success, None)
        assert response.status_code == status, (name, response.content)
        if body and method != "HEAD":
            assert response.json() == body, name
        elif status == 405 and method != "HEAD":
            assert response.json()["code"] == "method_not_allowed", name
        elif status == 200 and method == "OPTIONS":
            assert set(response.json()) == {"name", "description", "renders", "parses"}, name
        if status in (200, 405) and method != "HEAD":
            works = {row.method for row in MATRIX.values() if row.path == template and row.success != 405}
            assert set(response["Allow"].split(", ")) == works | ({"HEAD", "OPTIONS"} if reading else {"OPTIONS"})


@pytest.mark.parametrize("template", [each for each in api_routes() if "{id}" in each])
def test_options_look_no_object_up(cast: Cast, template: str, alice: Caller):
    row = without_action(template, "OPTIONS")
    if row.place == "itself":
        return  # it is the parent of its own paths
    ids = {"project_id": cast.web.pk, "organization_id": cast.acme.pk, "role_id": "1", "id": "nonsense"}
    assert alice.request("OPTIONS", template.format(**ids)).status_code == 200


@pytest.mark.parametrize("template", [each for each in api_routes() if "_id}" in each])
def test_options_below_an_unknown_parent_are_404(template: str, alice: Caller):
    path = template.format(project_id="999999", organization_id="999999", role_id="1", id="1")
    response = alice.request("OPTIONS", path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("operation", MATRIX)
def test_every_path_answers_with_and_without_the_final_slash(cast: Cast, operation: str):
    row = MATRIX[operation]
    url = row.url(cast).removesuffix("/")
    assert cast.caller(cast.alice).request(row.method, url, row.sent(cast)).status_code == row.success

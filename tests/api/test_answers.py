"""Every operation with every status that it can answer: the answer has the keys that the schema names and no others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import PersonalAPIKey, User
from core6.analytics.models import Person
from core6.api.openapi.schema import ENVIRONMENTS
from roles.models import Role, RoleMembership
from tests.api.test_permission_matrix import MATRIX, Operation
from tests.conftest import Caller, Cast
from tests.support.api.answers_world import build, key
from tests.support.api.schema import SCHEMA
from tests.support.api.strict_schema import Answers, components_of_answers
from tests.support.sampling import sampled

ANSWERS: Final = Answers(SCHEMA)
#: Environments are projects by another name.
OPERATIONS: Final = {name: row for name, row in MATRIX.items() if not row.path.startswith(ENVIRONMENTS)}
#: One page of three, whichever way a list is divided into pages.
A_PAGE: Final = "?limit=1&offset=1&page=2"
#: Statuses that are declared for every operation alike, and that this one never answers.
NEVER: Final = {
    ("personal_api_keys_retrieve", 403),  # it needs no scope and takes every key
    # It reads no body.
    ("cohorts_duplicate_as_static_cohort_create", 413),
    ("cohorts_duplicate_as_static_cohort_create", 415),
}
#: Declared as the real service declares it, or for a value of requests; an answer has a value always.
NEVER_NULL: Final = {
    *(f"{each}.effective_membership_level" for each in ("ProjectBackwardCompat", "ProjectDemoData")),
    *(f"{each}.live_events_token" for each in ("ProjectBackwardCompat", "ProjectDemoData")),
    *("Calculation.filters", "Cohort.filters"),
}
ALWAYS_NULL: Final = {"Person.value_at_data_point"}


def url(row: Operation, cast: Cast) -> str:
    """Return the address of the first of each that it names."""
    role = Role.objects.filter(organization=cast.acme).order_by("created_at").first()
    rows: dict[str, Any] = {
        "annotations": Annotation.objects.order_by("pk").first(),
        "cohorts": Cohort.objects.filter(is_static="duplicate" not in row.path).order_by("pk").first(),
        "roles": role,
        "role_memberships": RoleMembership.objects.filter(role=role, organization_member__user=cast.bob).first(),
        "organizations": cast.acme,
        "projects": cast.web,
    }
    resource = row.path.partition("{id}")[0].strip("/").split("/")[-1]
    found = rows.get(resource)
    return row.path.format(
        project_id=cast.web.pk, organization_id=cast.acme.pk, role_id=role and role.pk, id=found and found.pk
    )


def body(name: str, row: Operation, cast: Cast) -> Any:
    if name.endswith("static_cohort_partial_update"):
        person = Person.objects.first() or Person.objects.create(project_id=cast.web.pk)
        return {"person_ids": [str(person.uuid)], "person_id": str(person.uuid)}
    return row.sent(cast)


def check(row: Operation, answer: Any, status: int) -> None:
    """Check an answer against what is declared for its status."""
    assert answer.status_code == status, answer.content
    declared = ANSWERS.declared(row.path, row.method, status)
    if not declared:
        assert answer.content == b""
        return
    content_type = answer.headers["Content-Type"].partition(";")[0]
    assert status < 400 or declared.keys() == {"application/json"}
    value = answer.json() if content_type == "application/json" else answer.content.decode()
    assert ANSWERS.problems(value, declared[content_type]) == []


@pytest.fixture(params=["full", "bare"])
def is_full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "full")


@pytest.fixture
def world(cast: Cast, is_full: bool) -> Cast:
    build(cast, is_full=is_full)
    return cast


@pytest.mark.parametrize("name", sampled(OPERATIONS, 3))
def test_successes(world: Cast, is_full: bool, name: str):
    row = MATRIX[name]
    if name == "role_memberships_create":
        RoleMembership.objects.all().delete()
    answer = Caller(key(world, is_full=is_full)).request(row.method, url(row, world), body(name, row, world))
    check(row, answer, row.success)


def test_a_table_of_persons(world: Cast):
    row = MATRIX["cohorts_persons_retrieve"]
    check(row, world.caller(world.alice).client.get(f"{url(row, world)}?is_csv_export=1"), 200)
    with_error = world.caller(world.alice).client.get(f"{url(row, world)}?is_csv_export=1&properties=nonsense")
    check(row, with_error, 400)


Refusal = Callable[[str, Operation, Cast, Any], Any]


def send(name: str, row: Operation, cast: Cast, caller: Caller | None = None, sent: Any = None, **extra: Any) -> Any:
    sent = body(name, row, cast) if sent is None else sent
    return (caller or cast.caller(cast.alice)).request(row.method, url(row, cast), sent, **extra)


def bad_request(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    if "requestBody" in SCHEMA["paths"][row.path][row.method.lower()]:
        return send(name, row, cast, sent=b"{")
    return send(name, row, cast, headers={"Host": "evil.example"})


def not_there(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    nothing = row.path.format(project_id=0, organization_id=uuid4(), role_id=uuid4(), id=0)
    return cast.caller(cast.alice).request(row.method, nothing, body(name, row, cast))


def conflict(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    caller = cast.caller(cast.alice)
    claimed = f"{PersonalAPIKey.objects.get(label=str(caller.key)[-40:]).pk} one"
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [claimed])
        return send(name, row, cast, caller, headers={"Idempotency-Key": "one"})


def other_request(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    caller = cast.caller(cast.alice)
    assert send(name, row, cast, caller, headers={"Idempotency-Key": "one"}).status_code < 300
    return send(name, row, cast, caller, {"other": 1}, headers={"Idempotency-Key": "one"})


def too_many(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    settings.RATE_LIMITS = {60: 0}
    return send(name, row, cast)


@contextmanager
def no_database(wrapper: BaseDatabaseWrapper) -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise OperationalError("the database is away")

    with wrapper.execute_wrapper(refuse):
        yield


def unavailable(name: str, row: Operation, cast: Cast, settings: Any) -> Any:
    caller, path, sent = cast.caller(cast.alice), url(row, cast), body(name, row, cast)
    with no_database(connection):
        return caller.request(row.method, path, sent)


REFUSALS: Final[dict[int, Refusal]] = {
    400: bad_request,
    401: lambda name, row, cast, settings: send(name, row, cast, Caller(None)),
    403: lambda name, row, cast, settings: send(name, row, cast, cast.caller(cast.alice, "insight:read")),
    404: not_there,
    409: conflict,
    412: lambda name, row, cast, settings: send(name, row, cast, headers={"If-Match": '"another state"'}),
    413: lambda name, row, cast, settings: send(name, row, cast, CONTENT_LENGTH=str(11 * 1024**2)),
    415: lambda name, row, cast, settings: send(name, row, cast, content_type="text/plain"),
    422: other_request,
    429: too_many,
    503: unavailable,
}
KINDS: Final = [
    (name, int(status))
    for name, row in OPERATIONS.items()
    for status in SCHEMA["paths"][row.path][row.method.lower()]["responses"]
    if int(status) != row.success and (name, int(status)) not in NEVER
]


#: Environments are the same views at another address: fewer of their answers will do.
SHOWN: Final = [
    *sampled([(name, status) for name, status in KINDS if not name.startswith("environments_")], 9),
    *sampled([(name, status) for name, status in KINDS if name.startswith("environments_")], 18),
]


@pytest.mark.parametrize("is_full", [False])
@pytest.mark.parametrize(("name", "status"), SHOWN)
def test_a_refusal_is_as_declared(world: Cast, settings: Any, name: str, status: int):
    row = MATRIX[name]
    check(row, REFUSALS[status](name, row, world, settings), status)


@pytest.mark.parametrize("path", SCHEMA["paths"])
def test_methods_that_an_address_has_not(cast: Cast, alice: Caller, path: str):
    """An operation of the schema is a method that there is; the others have the error of all."""
    address = path.format(project_id=cast.web.pk, organization_id=cast.acme.pk, role_id=cast.acme.pk, id=cast.web.pk)
    others = [each for each in ("GET", "POST", "PUT", "PATCH", "DELETE") if each.lower() not in SCHEMA["paths"][path]]
    assert others
    for method in others:
        answer = alice.request(method, address)
        assert answer.status_code == 405
        assert ANSWERS.problems(answer.json(), {"$ref": "#/components/schemas/Error"}) == []


@pytest.mark.parametrize("prefix", ["", "projects_"])
def test_the_error_of_onboarding_with_and_without_its_own_key(world: Cast, prefix: str):
    row = MATRIX[f"{prefix}complete_product_onboarding_partial_update"]
    for sent in ({"product_type": ""}, {"product_type": "nonsense"}, {"intent_context": ["x"]}, {"week_start_day": 9}):
        check(row, world.caller(world.alice).patch(url(row, world), sent), 400)


def values(value: Any, schema: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of an answer by the places where the schema names them, such as `Role.created_by`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = SCHEMA["components"]["schemas"][name]
    for each in schema.get("allOf", ()):
        yield from values(value, each, name)
    for field, part in schema.get("properties", {}).items() if isinstance(value, dict) else ():
        if field in value:
            yield f"{name}.{field}", value[field]
            yield from values(value[field], part)
    for each in value if isinstance(value, list) else ():
        yield from values(each, schema.get("items", {}))


def seen(cast: Cast, alice: Caller, others: dict[str, Caller], query: str) -> dict[str, set[bool]]:
    """Return the places of all that can be read, each with whether it was null there."""
    found: dict[str, set[bool]] = {}
    for name, row in OPERATIONS.items():
        if row.method == "GET" and not str(row.scope).endswith(":write"):
            answer = others.get(name, alice).client.get(f"{url(row, cast)}{query}")
            check(row, answer, 200)
            declared = ANSWERS.declared(row.path, row.method, 200)["application/json"]
            for place, value in values(answer.json(), declared):
                found.setdefault(place, set()).add(value is None)
    return found


def test_null_is_declared_where_it_occurs_and_nowhere_else(cast: Cast, django_db_blocker: Any):
    build(cast, is_full=True)
    full = seen(cast, Caller(key(cast, is_full=True)), {}, A_PAGE)
    build(cast, is_full=False)
    stranger = User.objects.create(email="stranger@example.com", password="!", distinct_id=None)
    without_scopes = cast.caller(cast.alice)
    PersonalAPIKey.objects.filter(user=cast.alice).update(scopes=None)
    others = {"users_retrieve": cast.caller(stranger), "personal_api_keys_retrieve": without_scopes}
    bare = seen(cast, Caller(key(cast, is_full=False)), others, "")
    places = {
        f"{name}.{field}": schema.get("nullable") is True
        for name, component in components_of_answers(SCHEMA).items()
        for field, schema in component.get("properties", {}).items()
        if name not in ("Error", "OnboardingError", "Success")
    }
    assert places.keys() == full.keys() | bare.keys()
    with_values = {place for place in places if False in full.get(place, set()) | bare.get(place, set())}
    with_nulls = {place for place in places if True in full.get(place, set()) | bare.get(place, set())}
    assert places.keys() - with_values == ALWAYS_NULL
    assert {place for place, is_nullable in places.items() if is_nullable} - with_nulls == NEVER_NULL


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"attr": ...}, {"code": None}, {"detail": 5}], ids=["undeclared", "missing", "null", "type"]
)
def test_what_is_not_as_declared_is_found(change: dict[str, Any]):
    right = {"type": "validation_error", "code": "invalid_input", "detail": "No.", "attr": None}
    wrong = {name: value for name, value in {**right, **change}.items() if value is not ...}
    schema = {"$ref": "#/components/schemas/Error"}
    assert ANSWERS.problems(right, schema) == []
    assert len(ANSWERS.problems(wrong, schema)) == 1


def test_there_are_many_kinds():
    assert {status for _, status in KINDS} == REFUSALS.keys()
    assert len(KINDS) + len(OPERATIONS) > 500

"""Thousands of bad requests: each is answered soon and by the error JSON, and what is refused leaves no trace."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from psycopg.pq import TransactionStatus

from annotations.models import Annotation
from cohorts.models import Cohort, CohortMember
from core6.accounts import keys
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.analytics.models import Dashboard, Person
from projects.models import Project
from roles.models import Role, RoleMembership
from tests.conftest import Caller
from tests.support.api import bad_requests
from tests.support.api.bad_requests import (
    ACME,
    BOB,
    CAROL,
    COHORT,
    COHORT_LEAF,
    DASHBOARD,
    FOREIGN_COHORT,
    FOREIGN_PROJECT,
    KEY,
    MEMBERSHIP,
    NOTE,
    OTHER,
    PERSON,
    PROJECT,
    ROLE,
    STATIC,
    BadRequest,
    Operation,
    operations,
)
from tests.support.database_state import state
from tests.support.routes import api_routes
from tests.support.sampling import IS_EVERY_CASE

OPERATIONS: Final = operations()
#: POST of a copy takes no fields.
WRITING: Final = [name for name, each in OPERATIONS.items() if each.is_writing and each.fields]
READING: Final = [name for name, each in OPERATIONS.items() if each.method == "GET"]
WITH_IDS: Final = [name for name, each in OPERATIONS.items() if "id}" in each.template]
#: One of so many of each kind is sent, unless IS_EVERY_CASE.
SHARES: Final = {
    "methods": 30,
    "bodies": 16,
    "with_fields": 16,
    "ids": 18,
    "queries": 20,
    "criteria": 30,
    "inside_of_settings": 11,
    "narrowing": 20,
    "files": 1,
    "keys": 2,
    "headers": 5,
}
#: For the module's own fixture, too: without the mark no database is made.
pytestmark = pytest.mark.django_db
#: No answer may take longer.
LONGEST: Final = 5.0


class World:
    """An organization with one of everything, and the callers: its owner, and one without a key."""

    def __init__(self) -> None:
        alice = make_world()
        PersonalAPIKey.objects.create(
            user=alice, label="bad", secure_value=keys.digest(KEY), scopes=["*"], last_used_at=timezone.now()
        )
        self.alice, self.nobody = Caller(KEY), Caller(None)
        for caller in (self.alice, self.nobody):
            caller.client.raise_request_exception = False
        self.before = state()

    def check(self, cases: Iterable[BadRequest]) -> None:
        """Send requests, each to the same world; fail with all that were answered as none may be."""
        found = []
        for case in cases:
            with transaction.atomic():
                try:
                    found += [f"{case}: {problem}" for problem in self.problems(case)]
                finally:
                    transaction.set_rollback(True)
        assert not found, "\n".join([f"{len(found)} problems", *found[:40]])

    def problems(self, case: BadRequest) -> Iterator[str]:
        caller = self.alice if case.has_key else self.nobody
        began = time.monotonic()
        sent = {"content_type": case.content_type, "headers": case.headers}
        try:
            response = caller.request(case.method, case.path, case.body, **sent)
        except Exception as error:
            # Raised before the server knows that there is a request.
            yield f"raised {error!r}"
            return
        seconds = time.monotonic() - began
        if seconds > LONGEST:
            yield f"took {seconds:.1f} s"
        if 200 <= response.status_code < 300:
            if case.is_nobody:
                yield "was answered to nobody"
            yield from _wrong_success(case, response)
            return
        if case.is_nobody and response.status_code != 401:
            yield f"is {response.status_code} to nobody"
        yield from _wrong_refusal(case, response)
        if connection.connection.info.transaction_status == TransactionStatus.INERROR:
            # Outside of a transaction, a statement of a GET that fails leaves nothing.
            if case.method != "GET":
                yield "left a transaction broken"
        elif (after := state()) != self.before:
            yield f"left a trace in {[name for name in after if after[name] != self.before[name]]}"


def _wrong_success(case: BadRequest, response: Any) -> Iterator[str]:
    kind = response.headers.get("Content-Type")
    allowed = ("application/json", "text/csv; charset=utf-8") if "is_csv_export" in case.path else ("application/json",)
    if response.status_code == 204:
        if response.content:
            yield "is 204 with a body"
    elif kind not in allowed:
        yield f"is {response.status_code} as {kind}"
    elif kind == "application/json" and case.method != "HEAD":
        response.json()


def _wrong_refusal(case: BadRequest, response: Any) -> Iterator[str]:
    if not 400 <= response.status_code < 500:
        yield f"is {response.status_code}: {response.content[:200]!r}"
    if response.status_code == 405 and case.method == "DELETE" and not response.content:
        return
    if case.method == "HEAD":
        return  # it has no body
    if response.headers.get("Content-Type") != "application/json":
        yield f"is {response.status_code} as {response.headers.get('Content-Type')}: {response.content[:200]!r}"
        return
    body = response.json()
    texts = [body.get(name) for name in ("type", "code", "detail")]
    names = set(body) - ({"error"} if body.get("attr") == "product_type" else set())
    is_right = names == {"type", "code", "detail", "attr"} and isinstance(body["attr"], str | None)
    if not (is_right and all(isinstance(text, str) and text for text in texts)):
        yield f"is {body}"


def make_world() -> User:
    """Make what the bad requests name; return the owner."""
    acme, globex = Organization.objects.create(pk=ACME, name="Acme"), Organization.objects.create(name="Globex")
    alice = User.objects.create(email="alice@example.com", password="!", current_organization=acme)
    bob = User.objects.create(email="bob@example.com", password="!", uuid=BOB)
    carol = User.objects.create(email="carol@example.com", password="!", uuid=CAROL)
    Membership.objects.create(organization=acme, user=alice, level=Level.OWNER)
    member = Membership.objects.create(organization=acme, user=bob, level=Level.ADMIN)
    Membership.objects.create(organization=acme, user=carol)
    web = Project.objects.create(pk=PROJECT, organization=acme, name="Web")
    foreign = Project.objects.create(pk=FOREIGN_PROJECT, organization=globex, name="Web")
    Dashboard.objects.create(pk=DASHBOARD, project=web)
    Annotation.objects.create(pk=NOTE, organization=acme, project=web, content="one")
    Cohort.objects.create(pk=COHORT, project=web, name="dynamic")
    to_it = {"properties": {"type": "AND", "values": [{**COHORT_LEAF, "value": COHORT}]}}
    Cohort.objects.create(pk=OTHER, project=web, name="of the other", filters=to_it)
    Cohort.objects.create(pk=STATIC, project=web, is_static=True)
    Cohort.objects.create(pk=FOREIGN_COHORT, project=foreign)
    properties = {"email": "ann@example.com", "a": {"b": [1, "x"]}, "0": 5, "version": "1.2.3"}
    Person.objects.create(project_id=PROJECT, uuid=PERSON, properties=properties)
    CohortMember.objects.create(project_id=PROJECT, cohort_id=STATIC, person_uuid=PERSON)
    role = Role.objects.create(pk=ROLE, organization=acme, name="Engineering")
    RoleMembership.objects.create(pk=MEMBERSHIP, role=role, organization_member=member)
    return alice


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Everything as it is before each request."""
    with django_db_blocker.unblock(), transaction.atomic():
        # Every roll back makes the driver forget what it has prepared; to prepare it again costs more than it saves.
        threshold, connection.connection.prepare_threshold = connection.connection.prepare_threshold, None
        yield World()
        connection.connection.prepare_threshold = threshold
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def without_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A refusal is no news to the operator, and nothing here is the server's fault."""
    yield
    # What Django logs as suspicious, a query of too many parameters, is refused like the rest.
    records = [each for each in caplog.get_records("call") if not each.name.startswith("django.security.")]
    errors = [each.getMessage() for each in records if each.levelno >= logging.ERROR]
    assert not errors, errors[:10]


def each_of(make: Callable[[Operation], Iterator[BadRequest]], names: list[str]) -> dict[str, list[BadRequest]]:
    """Return the cases of each operation: of alike ones every operation takes others."""
    one_of = SHARES[make.__name__]
    return {name: share(make(OPERATIONS[name]), one_of, number) for number, name in enumerate(names)}


def share(cases: Iterator[BadRequest], one_of: int, start: int = 0) -> list[BadRequest]:
    return list(cases if IS_EVERY_CASE else islice(cases, start % one_of, None, one_of))


@cache
def matrix() -> dict[str, dict[str, list[BadRequest]]]:
    """Return the cases by what is wrong, and by the operation where it matters."""
    return {
        "methods": {
            template: share(bad_requests.methods(route), SHARES["methods"], number)
            for number, (template, route) in enumerate(api_routes().items())
        },
        "bodies": each_of(bad_requests.bodies, WRITING),
        "fields": each_of(bad_requests.with_fields, WRITING),
        "ids": each_of(bad_requests.ids, WITH_IDS),
        "queries": each_of(bad_requests.queries, READING),
        "criteria": {
            method: share(bad_requests.criteria(method), SHARES["criteria"], number)
            for number, method in enumerate(("POST", "PATCH"))
        },
        "others": {
            make.__name__: share(make(), SHARES[make.__name__])
            for make in (
                bad_requests.inside_of_settings,
                bad_requests.narrowing,
                bad_requests.files,
                bad_requests.keys,
                bad_requests.headers,
            )
        },
    }


@pytest.mark.parametrize("template", api_routes())
def test_every_method_of_every_address(world: World, template: str):
    world.check(matrix()["methods"][template])


@pytest.mark.parametrize("operation", WRITING)
def test_bad_bodies_are_refused_and_change_nothing(world: World, operation: str):
    world.check(matrix()["bodies"][operation])


@pytest.mark.parametrize("operation", WRITING)
def test_bad_values_of_fields_are_refused_and_change_nothing(world: World, operation: str):
    world.check(matrix()["fields"][operation])


@pytest.mark.parametrize("operation", WITH_IDS)
def test_bad_ids_of_a_path_are_refused_and_change_nothing(world: World, operation: str):
    world.check(matrix()["ids"][operation])


@pytest.mark.parametrize("operation", READING)
def test_bad_query_parameters_are_refused_and_change_nothing(world: World, operation: str):
    world.check(matrix()["queries"][operation])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_bad_criteria_of_a_cohort_are_refused_and_change_nothing(world: World, method: str):
    world.check(matrix()["criteria"][method])


@pytest.mark.parametrize("kind", ["inside_of_settings", "narrowing", "files", "keys", "headers"])
def test_other_bad_requests_are_refused_and_change_nothing(world: World, kind: str):
    world.check(matrix()["others"][kind])


def test_a_body_of_more_than_10_mb_is_refused_and_changes_nothing(world: World):
    body = b'{"content": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    kinds = (bad_requests.JSON, bad_requests.FORM, bad_requests.MULTIPART)
    path = f"/api/projects/{PROJECT}/annotations/"
    world.check([BadRequest("too large", "POST", path, body, kind) for kind in kinds])
    assert [world.alice.post(path, body, content_type=kind).status_code for kind in kinds] == [413] * 3


def test_there_are_many_of_each_kind():
    counted = {kind: sum(len(cases) for cases in by_operation.values()) for kind, by_operation in matrix().items()}
    counted |= {kind: len(cases) for kind, cases in matrix()["others"].items()}
    assert sum(counted.values()) - counted.pop("others") >= (8_000 if IS_EVERY_CASE else 800), counted
    assert min(counted.values()) >= 40, counted
    assert all(cases for by_operation in matrix().values() for cases in by_operation.values())

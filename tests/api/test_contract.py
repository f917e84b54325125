"""Every operation of the schema, called with data that the schema allows and forbids: the answers are as it says.

`make test` makes few examples of a fifth of the operations, always the same ones. `make contract-test` makes many of
all of them, others each time, and goes through the limits of every single value as well.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from schemathesis import Case, HookContext, Response, openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts import keys
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.analytics.models import Dashboard, Insight, Person
from projects.models import Project
from roles.models import Role, RoleMembership
from tests.support.api.contract_rules import is_the_servers_fault
from tests.support.api.strict_schema import close_answers
from tests.support.sampling import sampled

#: How many examples of each operation; few and always the same ones unless a number is given.
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "0"))
KEY: Final = "phx_" + "a" * 48
ACME, ROLE, MEMBERSHIP = (f"01a20e5b-7a93-7462-a49f-00000000000{number}" for number in range(3))
#: As the examples of the schema name them.
BOB, PERSON = "095be615-a8ad-4c33-8e9c-c7612fbf6c9f", "0195a0c0-0000-7000-8000-000000000001"
PROJECT, NOTE, COHORT, STATIC, DASHBOARD, INSIGHT = range(1_000_001, 1_000_007)
#: What the parameters of paths and the fields of bodies name in nine of ten examples that are right.
NAMED: Final[dict[str, list[int | str]]] = {
    "path.organization_id": [ACME],
    "path.project_id": [str(PROJECT), "@current"],
    "path.role_id": [ROLE],
    "body.user_uuid": [BOB],
    "body.person_id": [PERSON],
    "body.person_ids[*]": [PERSON],
    "body.dashboard_id": [DASHBOARD],
    "body.primary_dashboard": [DASHBOARD],
    "body.dashboard_item": [INSIGHT],
}
#: What `{id}` names, by the path before it and after it.
IDS: Final[dict[str, list[int | str]]] = {
    "/organizations/{id}/": [ACME],
    "/(projects|environments)/{id}/": [PROJECT],
    "/annotations/{id}/": [NOTE],
    "/cohorts/{id}/(?!add|remove|duplicate)": [COHORT, STATIC],
    "/cohorts/{id}/duplicate": [COHORT],
    "/cohorts/{id}/(add|remove)": [STATIC],
    "/roles/{id}/": [ROLE],
    "/role_memberships/{id}/": [MEMBERSHIP],
}
#: DELETE is declared and refused.
NEVER_DELETED: Final = [
    f"/api/{place}/{{project_id}}/{name}/{{id}}/"
    for place in ("projects", "environments")
    for name in ("annotations", "cohorts")
]


def mostly(dictionary: str) -> dict[str, Any]:
    return {"dictionary": dictionary, "probability": 0.9}


CONFIG = SchemathesisConfig.from_dict(
    {
        **({} if EXAMPLES else {"seed": 1}),
        "generation": {
            "max-examples": EXAMPLES or 10,
            "deterministic": not EXAMPLES,
            "no-shrink": not EXAMPLES,
            "with-security-parameters": False,
        },
        "phases": {"coverage": {"enabled": bool(EXAMPLES)}, "stateful": {"enabled": False}},
        # Texts of the source; a change of one would change the examples.
        "analysis": {"constants": {"enabled": bool(EXAMPLES)}},
        "auth": {"openapi": {"PersonalAPIKeyAuth": {"bearer": KEY}}},
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "405"]}},
        "dictionaries": {name: {"values": values} for name, values in {**NAMED, **IDS}.items()},
        "parameters": {name: mostly(name) for name in NAMED},
        "operations": [{"include-path-regex": path, "parameters": {"path.id": mostly(path)}} for path in IDS],
    }
)
schema = openapi.from_wsgi("/api/schema/?format=json", WSGIHandler(), config=CONFIG)
if not EXAMPLES:
    shown = sampled(schema.raw_schema["paths"], 5)
    schema.raw_schema["paths"] = {path: schema.raw_schema["paths"][path] for path in shown}
# Any JSON but null: `not`, the only word for it, is one that a generator of clients (openapi-generator) breaks on.
for component in schema.raw_schema["components"]["schemas"].values():
    fields = component.get("properties", {})
    fields.update(
        {name: {"not": {"enum": [None]}} for name in ("data_attributes", "test_account_filters") if name in fields}
    )
# A key that the schema does not name would pass otherwise, and so would one that is missing.
close_answers(schema.raw_schema)
#: How often each operation gave each answer.
answers: dict[str, Counter[int]] = {}


@schema.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    return is_the_servers_fault(failure, case, response)


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Requests leave the connection of the test open, as those of Django's own client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(one_connection: None) -> None:
    """An organization with one of everything, under the ids that the examples name; the key is Alice's, its owner."""
    acme = Organization.objects.create(pk=ACME, name="Acme")
    alice = User.objects.create(email="alice@example.com", password="!")
    bob = User.objects.create(email="bob@example.com", password="!", uuid=BOB)
    carol = User.objects.create(email="carol@example.com", password="!")
    for user, level in ((alice, Level.OWNER), (bob, Level.ADMIN)):
        Membership.objects.create(organization=acme, user=user, level=level)
    member = Membership.objects.create(organization=acme, user=carol)
    web = Project.objects.create(pk=PROJECT, organization=acme, name="Web")
    Dashboard.objects.create(pk=DASHBOARD, project=web)
    Insight.objects.create(pk=INSIGHT, project=web)
    Annotation.objects.create(pk=NOTE, organization=acme, project=web)
    Cohort.objects.create(pk=COHORT, project=web)
    Cohort.objects.create(pk=STATIC, project=web, is_static=True)
    Person.objects.create(project_id=PROJECT, uuid=PERSON)
    role = Role.objects.create(pk=ROLE, organization=acme, name="Engineering")
    RoleMembership.objects.create(pk=MEMBERSHIP, role=role, organization_member=member)
    PersonalAPIKey.objects.create(
        user=alice, label="contract", secure_value=keys.digest(KEY), scopes=["*"], last_used_at=timezone.now()
    )


def name_what_there_is(case: Case) -> None:
    """Put ids of the world into a path that is right, where the phase takes none from the dictionaries."""
    meta = case.meta
    assert meta is not None
    if meta.phase.name is TestPhase.FUZZING or meta.is_negative_at(ParameterLocation.PATH):
        return
    ids = case.operation.schema.config.operations.get_for_operation(case.operation).parameters
    named = {**NAMED, "path.id": IDS[ids["path.id"].dictionary]} if "path.id" in ids else NAMED
    case.path_parameters = {name: named[f"path.{name}"][-1] for name in case.path_parameters}


# Of pytest 9.2, schemathesis 4.32 gives all operations one node id, of which xdist runs the first; a parameter helps.
@pytest.mark.parametrize("caller", ["alice"])
@schema.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_the_answer_is_as_the_schema_says(case: Case, world: None, caller: str):
    name_what_there_is(case)
    with transaction.atomic():
        try:
            response = case.call()
            answers.setdefault(case.operation.label, Counter())[response.status_code] += 1
            case.validate_response(response)
        finally:
            transaction.set_rollback(True)  # the next example finds the world as it was


def test_a_fair_share_of_the_calls_succeeded():
    """What is refused for its path or for a value says little of the rest."""
    if not answers:
        pytest.skip("nothing was called")
    counted = sum(answers.values(), Counter())
    succeeded = sum(times for status, times in counted.items() if status < 300)
    assert succeeded > 0.4 * counted.total(), counted
    never = {operation for operation, statuses in answers.items() if min(statuses) >= 300}
    assert never <= {f"DELETE {path}" for path in NEVER_DELETED}

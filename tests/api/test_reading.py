"""The fast way answers byte for byte what the ordinary way does, and leaves to it what it does not know."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Level, Membership, PersonalAPIKey, User
from core6.analytics.models import Dashboard, Experiment, GroupType, Insight
from projects.models import ProductIntent, Project
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast

#: The ordinary way: REST framework reads the quality, the fast way takes no Accept with one.
ORDINARY = {"Accept": "application/json;q=0.9"}
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
TEXTS = ["", "plain", 'quo"te \\ back', "日本語 🦔", "<b>&amp;</b>", "line\nbreak\ttab", "\u2028\x7f"]


@pytest.fixture
def world(cast: Cast) -> Cast:
    """Rows with every field filled and with every field that may be null left so."""
    User.objects.filter(pk=cast.bob.pk).update(
        hedgehog_config={"color": "red", "skin": None, "other": 1}, role_at_organization="engineering"
    )
    User.objects.filter(pk=cast.carol.pk).update(distinct_id=None, is_email_verified=True, last_login=NOON)
    dashboard = Dashboard.objects.create(project=cast.web, name="D 🦔")
    insight = Insight.objects.create(project=cast.web, name=None, derived_name="derived")
    for number, text in enumerate(TEXTS):
        Annotation.objects.create(
            organization=cast.acme,
            project=cast.web if number % 3 else cast.app,
            content=text,
            date_marker=None if number == 1 else NOON - timedelta(days=number // 2, microseconds=number % 2),
            scope="organization" if number % 2 else "project",
            dashboard=dashboard if number % 2 else None,
            dashboard_item=insight if number % 3 else None,
            created_by=[cast.alice, cast.bob, cast.carol, None][number % 4],
            created_at=None if number == 3 else NOON,
        )
    Annotation.objects.create(organization=cast.acme, project=cast.web, deleted=True)
    Annotation.objects.create(organization=cast.globex, project=cast.globex_web, scope="organization")
    for number in range(3):
        role = Role.objects.create(
            organization=cast.acme, name=f"Role {number}", created_by=[None, cast.bob, cast.carol][number]
        )
        for member in Membership.objects.filter(organization=cast.acme).order_by("pk")[:number]:
            RoleMembership.objects.create(role=role, organization_member=member)
    cast.acme.default_role = role
    cast.acme.save()
    filters = {"properties": {"type": "AND", "values": [{"type": "person", "key": "é", "value": [1, 2.5, None]}]}}
    for number in range(4):
        cohort = Cohort.objects.create(
            project=cast.web,
            name=[None, "n", "", "日"][number],
            description=TEXTS[number],
            filters=[None, filters, {}, filters][number],
            groups=[[], [], [{"properties": [{"key": "a", "type": "person", "value": "b"}]}], []][number],
            query={"kind": "ActorsQuery"} if number == 3 else None,
            is_static=number == 3,
            cohort_type=[None, "person_property", None, "static"][number],
            created_by=[None, cast.alice, cast.bob, cast.carol][number],
            count=[None, 0, 2**40, 3][number],
            last_calculation=NOON if number else None,
        )
        Calculation.objects.create(cohort=cohort, error="bad" if number == 2 else None, error_code="timeout")
    Experiment.objects.create(project=cast.web, name="e", exposure_cohort=cohort)
    Project.objects.filter(pk=cast.web.pk).update(
        session_recording_sample_rate="0.50",
        app_urls=["https://a.example", None],
        recording_domains=None,
        test_account_filters=[{"key": "e", "value": ["a", 1.0]}],
        primary_dashboard=dashboard,
        week_start_day=1,
        business_model="b2b",
        has_completed_onboarding_for={"z": True, "a": True},
        modifiers={"b": 1, "a": {"c": [1, 2]}},
    )
    GroupType.objects.create(project=cast.web, group_type="company", group_type_index=0)
    ProductIntent.objects.create(project=cast.web, product_type="surveys")
    return cast


def paths(cast: Cast) -> dict[str, tuple[str, int]]:
    """Return what is read the fast way, and by how many statements: who calls, the page, and what hangs on it."""
    project, organization = f"/api/projects/{cast.web.pk}/", f"/api/organizations/{cast.acme.pk}/"
    note = Annotation.objects.filter(project=cast.web, deleted=False).earliest("pk")
    shared = Annotation.objects.filter(project=cast.app, scope="organization").earliest("pk")
    role, cohort = Role.objects.latest("pk"), Cohort.objects.latest("pk")
    return {
        "annotations": (f"{project}annotations/", 2),
        "first page": (f"{project}annotations/?limit=2", 2),
        "middle page": (f"{project}annotations/?limit=2&offset=1", 2),
        "page after a page": (f"{project}annotations?offset=2&limit=2", 2),
        "last page": (f"{project}annotations/?offset=4", 2),
        "many": (f"{project}annotations/?limit=5000", 2),
        "annotation": (f"{project}annotations/{note.pk}/", 2),
        "shared annotation": (f"{project}annotations/{shared.pk}", 2),
        "roles": (f"{organization}roles/", 3),
        "roles of a page": (f"{organization}roles/?limit=1&offset=2", 3),
        "role": (f"{organization}roles/{role.pk}/", 3),
        "role by hexadecimal digits": (f"{organization}roles/{role.pk.hex}/", 3),
        "cohorts": (f"{project}cohorts/", 2),
        "cohort": (f"{project}cohorts/{cohort.pk}/", 2),
        "projects": (f"{organization}projects/", 2),
        "project": (f"{organization}projects/{cast.web.pk}/", 4),
        "project alone": (project, 4),
        "no cohorts": (f"/api/projects/{cast.app.pk}/cohorts/", 2),
    }


KINDS = """
    annotations|first page|middle page|page after a page|last page|many|annotation|shared annotation|roles
    |roles of a page|role|role by hexadecimal digits|cohorts|cohort|projects|project|project alone|no cohorts
""".replace("\n", "").split("|")


@pytest.mark.parametrize("kind", [each.strip() for each in KINDS])
def test_the_fast_answer_is_the_ordinary_one(world: Cast, queries: CaptureQueriesContext, kind: str):
    path, statements = paths(world)[kind]
    alice = world.caller(world.alice)
    alice.get("/api/users/@me/")  # notes the key's use
    with queries:
        fast = alice.get(path)
    taken = len(queries)
    ordinary = alice.client.get(path, headers=ORDINARY)
    assert fast.status_code == ordinary.status_code == 200
    assert told(fast) == told(ordinary)
    assert taken == statements
    assert {**fast.headers} == {**ordinary.headers, "Content-Type": "application/json"}


def told(response: Any) -> bytes:
    """Return the body; a token that holds the time of its making is left out."""
    text: bytes = response.content
    token = json.loads(text).get("live_events_token")
    return text.replace(token.encode(), b"") if token else text


def test_every_kind_is_there(world: Cast):
    assert set(paths(world)) == {each.strip() for each in KINDS}


@pytest.mark.parametrize("kind", ["annotations", "annotation", "roles", "cohorts", "project"])
@pytest.mark.parametrize(
    ("caller", "status"), [("another scope", 403), ("another organization", 403), ("dave", 403), ("inactive", 401)]
)
def test_who_is_refused_is_told_so_the_ordinary_way(world: Cast, kind: str, caller: str, status: int):
    path, _ = paths(world)[kind]
    who = {
        "another scope": lambda: world.caller(world.alice, "insight:read"),
        "another organization": lambda: world.caller(world.alice, scoped_organizations=[world.globex.pk]),
        "dave": lambda: world.caller(world.dave),
        "inactive": lambda: world.caller(world.carol),
    }[caller]()
    User.objects.filter(pk=world.carol.pk).update(is_active=False)
    fast, ordinary = who.get(path), who.client.get(path, headers=ORDINARY)
    assert (fast.status_code, fast.content) == (ordinary.status_code, ordinary.content)
    assert fast.status_code in (status, 404)


def test_a_revoked_key_ends_with_the_next_request(world: Cast):
    path, _ = paths(world)["annotations"]
    alice = world.caller(world.alice)
    assert [alice.get(path).status_code for _ in range(2)] == [200, 200]
    PersonalAPIKey.objects.all().delete()
    assert alice.get(path).status_code == 401


def test_a_member_who_leaves_sees_nothing_with_the_next_request(world: Cast):
    path, _ = paths(world)["annotations"]
    bob = world.caller(world.bob)
    assert [bob.get(path).status_code for _ in range(2)] == [200, 200]
    Membership.objects.filter(user=world.bob).delete()
    assert bob.get(path).status_code == 403


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=", "offset=-1", "limit=2&limit=3", "limit=1%30", "search=plain", "x=1"]
)
def test_a_query_that_is_not_plain_goes_the_ordinary_way(world: Cast, query: str):
    path, _ = paths(world)["annotations"]
    alice = world.caller(world.alice)
    fast = alice.client.get(f"{path}?{query}")
    ordinary = alice.client.get(f"{path}?{query}", headers=ORDINARY)
    assert (fast.status_code, fast.content) == (ordinary.status_code, ordinary.content)


@pytest.mark.parametrize("offset", [7, 8, 10**9 - 1])
def test_a_page_beyond_the_last_is_empty(world: Cast, offset: int):
    path, _ = paths(world)["annotations"]
    body = world.caller(world.alice).get(path, offset=offset).json()
    assert (body["results"], body["next"]) == ([], None)
    assert body["count"] > 0


def test_a_number_beyond_64_bits_is_read(world: Cast):
    Cohort.objects.filter(project=world.web).update(filters={"properties": {"a": 10**30}})
    alice: Caller = world.caller(world.alice)
    response = alice.get(f"/api/projects/{world.web.pk}/cohorts/")
    assert b"1000000000000000000000000000000" in response.content


def test_levels_are_the_callers(world: Cast):
    path, _ = paths(world)["project"]
    levels = {
        who.email: world.caller(who).get(path).json()["effective_membership_level"] for who in (world.alice, world.bob)
    }
    assert levels == {"alice@example.com": Level.OWNER, "bob@example.com": Level.ADMIN}

"""Lists and objects are answered byte for byte as REST framework's own mixins answer them, and never stale."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Level, Membership, PersonalAPIKey, User
from core6.analytics.models import Dashboard, Experiment, GroupType, Insight
from core6.api import response_cache
from core6.api.reads import List, Retrieve
from core6.revisions.models import Revision, watched_tables
from projects.models import ProductIntent, Project
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast, at_once

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
        for member in Membership.objects.filter(organization=cast.acme).order_by("user__email")[:number]:
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


def plainly(caller: Caller, path: str) -> Any:
    """Return the answer of REST framework's own mixins, without columns, prepared statements and kept answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(List, "list", ListModelMixin.list)
        patch.setattr(Retrieve, "retrieve", RetrieveModelMixin.retrieve)
        return caller.client.get(path)


def paths(cast: Cast) -> dict[str, tuple[str, int]]:
    """Return what is read, and by how many statements: who calls, the page or the row, and what hangs on it."""
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
        "members": (f"{organization}members/", 2),
        "members of a page": (f"{organization}members?limit=1&offset=1", 2),
        "cohorts": (f"{project}cohorts/", 2),
        "cohort": (f"{project}cohorts/{cohort.pk}/", 2),
        "projects": (f"{organization}projects/", 2),
        "project": (f"{organization}projects/{cast.web.pk}/", 4),
        "project alone": (project, 4),
        "no cohorts": (f"/api/projects/{cast.app.pk}/cohorts/", 2),
    }


KINDS = """
    annotations|first page|middle page|page after a page|last page|many|annotation|shared annotation|roles
    |members|members of a page
    |roles of a page|role|role by hexadecimal digits|cohorts|cohort|projects|project|project alone|no cohorts
""".replace("\n", "").split("|")


@pytest.mark.parametrize("kind", [each.strip() for each in KINDS])
def test_the_answer_is_that_of_the_frameworks_own_way(world: Cast, queries: CaptureQueriesContext, kind: str):
    path, statements = paths(world)[kind]
    alice = world.caller(world.alice)
    alice.get(path)  # notes the key's use, and prepares
    GroupType.objects.filter(project=world.web).update(name_plural="companies")  # what is kept is of another state now
    with queries:
        answer = alice.get(path)
    taken = len(queries)
    ordinary = plainly(alice, path)
    assert answer.status_code == ordinary.status_code == 200
    assert told(answer) == told(ordinary)
    assert taken == statements
    if "results" in answer.json():
        assert answer["ETag"].startswith('W/"')
        assert ordinary["ETag"].startswith('W/"')
    else:
        assert answer["ETag"] == ordinary["ETag"]
    own, others = (
        {name: value for name, value in response.headers.items() if name not in ("ETag", "X-Request-Id")}
        for response in (answer, ordinary)
    )
    assert own == {**others, "Content-Type": "application/json"}


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
def test_who_is_refused_is_refused_in_the_same_words(world: Cast, kind: str, caller: str, status: int):
    path, _ = paths(world)[kind]
    who = {
        "another scope": lambda: world.caller(world.alice, "insight:read"),
        "another organization": lambda: world.caller(world.alice, scoped_organizations=[world.globex.pk]),
        "dave": lambda: world.caller(world.dave),
        "inactive": lambda: world.caller(world.carol),
    }[caller]()
    User.objects.filter(pk=world.carol.pk).update(is_active=False)
    answer, ordinary = who.get(path), plainly(who, path)
    assert (answer.status_code, answer.content) == (ordinary.status_code, ordinary.content)
    assert answer.status_code in (status, 404)


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
def test_any_query_is_answered_the_same(world: Cast, query: str):
    path, _ = paths(world)["annotations"]
    alice = world.caller(world.alice)
    answer = alice.client.get(f"{path}?{query}")
    ordinary = plainly(alice, f"{path}?{query}")
    assert (answer.status_code, answer.content) == (ordinary.status_code, ordinary.content)


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


def tags(cast: Cast, kind: str) -> tuple[str, Caller]:
    path, _ = paths(cast)[kind]
    alice = cast.caller(cast.alice)
    alice.get("/api/users/@me/")
    return path, alice


LISTS = ["annotations", "middle page", "roles", "cohorts", "projects"]
SINGLE = ["annotation", "shared annotation", "role", "cohort", "project"]


@pytest.mark.parametrize("kind", [*LISTS, *SINGLE])
def test_what_is_known_already_is_not_told_again(world: Cast, kind: str):
    path, alice = tags(world, kind)
    first = alice.get(path)
    tag = first["ETag"]
    for sent in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = alice.client.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert again["Allow"] == first["Allow"]
        assert "Content-Type" not in again
    for sent in ('"other"', "nonsense", 'W/"0"'):
        again = alice.client.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, told(again), again["ETag"]) == (200, told(first), tag)


def test_an_unchanged_list_takes_one_query(world: Cast, queries: CaptureQueriesContext):
    path, alice = tags(world, "annotations")
    tag = alice.get(path)["ETag"]
    with queries:
        assert alice.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert len(queries) == 1  # the key with its user, project, level and revision


@pytest.mark.parametrize("kind", LISTS)
def test_a_page_that_was_told_is_told_again_by_one_query(world: Cast, queries: CaptureQueriesContext, kind: str):
    path, alice = tags(world, kind)
    first = alice.get(path)
    with queries:
        again = alice.get(path)
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    assert len(queries) == 1  # the key with its user, project, level and revision


def test_a_kept_page_is_told_at_the_same_address_only(world: Cast):
    path, alice = tags(world, "first page")
    assert "http://testserver/" in alice.get(path).json()["next"]
    assert "http://localhost/" in alice.client.get(path, headers={"Host": "localhost"}).json()["next"]
    for other in (f"{path}&offset=1", path.replace("=2", "=1"), path.replace("/?", "?")):
        assert alice.get(other).content == plainly(alice, other).content


def test_a_kept_page_opens_nothing_to_whoever_is_refused(world: Cast):
    path, alice = tags(world, "annotations")
    alice.get(path)
    for who in (world.caller(world.dave), world.caller(world.alice, "insight:read")):
        assert who.get(path).status_code == 403
    assert Client().get(path).status_code == 401


def test_a_page_too_large_to_keep_is_read_anew(world: Cast, queries: CaptureQueriesContext, monkeypatch):
    path, alice = tags(world, "annotations")
    monkeypatch.setattr(response_cache, "_LARGEST", 10)
    alice.get(path)
    first = alice.get(path)
    with queries:
        assert alice.get(path).content == first.content
    assert len(queries) == 2  # who calls, and the page


def test_the_tag_of_a_list_opens_nothing_to_whoever_is_refused(world: Cast):
    path, alice = tags(world, "annotations")
    tag = alice.get(path)["ETag"]
    for who in (world.caller(world.dave), world.caller(world.alice, "insight:read")):
        assert who.client.get(path, headers={"If-None-Match": tag}).status_code == 403


CHANGES: dict[str, Any] = {
    "a creator's name": lambda cast: User.objects.filter(pk=cast.bob.pk).update(first_name="Robert"),
    "a dashboard's name": lambda cast: Dashboard.objects.update(name="Renamed"),
    "an insight's name": lambda cast: Insight.objects.update(name="Renamed"),
    "a shared row of another project": lambda cast: Annotation.objects.filter(project=cast.app).update(content="new"),
    "a row": lambda cast: Annotation.objects.filter(project=cast.web).update(content="new"),
    "a new row": lambda cast: Annotation.objects.create(organization=cast.acme, project=cast.web, scope="project"),
    "a row that is gone": lambda cast: Annotation.objects.filter(project=cast.web, deleted=False).latest("pk").delete(),
    "a role": lambda cast: Role.objects.filter(name="Role 1").update(name="Renamed"),
    "who is in a role": lambda cast: RoleMembership.objects.all().delete(),
    "a level": lambda cast: Membership.objects.filter(user=cast.bob).update(level=Level.MEMBER),
    "the default role": lambda cast: type(cast.acme).objects.update(default_role=None),
    "a cohort": lambda cast: Cohort.objects.update(count=17),
    "a calculation that failed": lambda cast: Calculation.objects.update(error="bad", error_code="capacity"),
    "an experiment": lambda cast: Experiment.objects.all().delete(),
    "a project": lambda cast: Project.objects.filter(pk=cast.web.pk).update(name="Renamed"),
    "a kind of group": lambda cast: GroupType.objects.update(group_type="team"),
    "an intent": lambda cast: ProductIntent.objects.all().delete(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_answer_is_stale(world: Cast, change: str):
    """Whatever shows in an answer is another tag when it changes, and another answer at once."""
    known = {}
    for kind in [*LISTS, *SINGLE]:
        path, alice = tags(world, kind)
        known[kind] = (path, alice, alice.get(path))
    CHANGES[change](world)
    differing = 0
    for kind, (path, alice, before) in known.items():
        after = alice.client.get(path, headers={"If-None-Match": before["ETag"]})
        ordinary = plainly(alice, path)
        if after.status_code == 304:
            assert told(ordinary) == told(before), kind
        elif after.status_code == 200:
            assert told(after) == told(ordinary), kind
            differing += told(after) != told(before)
        else:
            assert (after.status_code, ordinary.status_code) == (404, 404)
            differing += 1
    assert differing >= 1


def test_a_change_that_is_taken_back_was_none(world: Cast):
    path, alice = tags(world, "annotations")
    before = alice.get(path)["ETag"]
    with transaction.atomic():
        Annotation.objects.update(content="new")
        assert alice.get(path)["ETag"] != before
        transaction.set_rollback(True)
    assert alice.get(path)["ETag"] == before


def test_other_organizations_changes_are_none_of_this_one(world: Cast):
    path, alice = tags(world, "annotations")
    before = alice.get(path)["ETag"]
    Annotation.objects.create(organization=world.globex, project=world.globex_web, scope="organization")
    assert alice.get(path)["ETag"] == before


def test_revisions_stay_few_and_keep_their_state(world: Cast):
    path, alice = tags(world, "annotations")
    for number in range(300):
        Annotation.objects.filter(project=world.web).update(content=str(number))
    assert Revision.objects.filter(organization_id=world.acme.pk).count() < 300
    seen = {alice.get(path)["ETag"]}
    for number in range(100):
        Annotation.objects.filter(project=world.web).update(content=str(number))
        seen.add(alice.get(path)["ETag"])
    assert len(seen) == 101


def test_every_table_of_an_answer_has_its_triggers(world: Cast):
    """A table that the statements of an answer read, and no trigger watches, would leave a tag as it was."""
    read: set[str] = set()
    for kind in [*LISTS, *SINGLE]:
        path, alice = tags(world, kind)
        with CaptureQueriesContext(connection) as queries:
            assert alice.get(path).status_code == 200
        for query in queries:
            read |= set(re.findall(r'(?:FROM|JOIN) "?([a-z_]+_[a-z]+)"?', query["sql"]))
    assert read - watched_tables() == {"accounts_personalapikey", "revisions_revision"}


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_lose_no_revision(committed_cast: Cast):
    """Sixteen write to one organization while two read: whoever reads after a write sees it, by whatever tag."""
    cast = committed_cast
    note = Annotation.objects.create(organization=cast.acme, project=cast.web, scope="project")
    keys = [cast.key(cast.alice) for _ in range(16)]
    path = f"/api/projects/{cast.web.pk}/annotations/"

    def work(number: int) -> list[str]:
        caller, wrong, tag = Caller(keys[number]), [], ""
        for turn in range(8):
            content = f"{number} {turn}"
            made = caller.post(path, {"content": content, "scope": "project"})
            answer = caller.client.get(path, headers={"If-None-Match": tag or '"none"'})
            if made.status_code != 201 or answer.status_code != 200 or content.encode() not in answer.content:
                wrong.append(f"{content}: {made.status_code} {answer.status_code}")
            tag = answer["ETag"]
        return wrong

    assert [each for found in at_once(16, work) for each in found] == []
    assert Caller(keys[0]).get(path).json()["count"] == 1 + 16 * 8
    assert note.pk

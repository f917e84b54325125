"""Cohorts count a merged person once, before and after the merge is written into the events (E13)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cohorts.calculation.run import calculate
from cohorts.models import Cohort, CohortMember
from core6.analytics.models import PersonOverride
from core6.capture.folding import fold
from core6.diagnosis import integrity
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.capture.sending import event, identified, owners, person_of, sent
from tests.support.cohorts.compiling import behavior
from tests.support.cohorts.people import all_of, leaf, members, work
from tests.support.urls import cohorts_url


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


def create(cast: Cast, alice: Caller, *conditions: dict[str, Any]) -> dict[str, Any]:
    response = alice.post(cohorts_url(cast), {"filters": all_of(*conditions)})
    assert response.status_code == 201, response.json()
    return dict(response.json())


def computed(cast: Cast, alice: Caller, cohort: dict[str, Any]) -> tuple[int, set[str]]:
    """Compute the cohort now, without any other job; return its count and the names of its members."""
    calculate(cohort["id"])
    return alice.get(cohorts_url(cast, cohort)).json()["count"], members(alice, cohort, cast.web)


def bad() -> list[str]:
    return [f"{each.name}: {each.message}" for each in integrity.findings() if each.state == "bad"]


@pytest.fixture
def project(cast: Cast) -> Project:
    """Anna on two devices, and Ben; each bought once on each device."""
    for name, device, days in (("anna", "laptop", 1), ("anna", "phone", 2), ("ben", "tablet", 1)):
        properties = {"$set": {"name": name, "plan": "pro"}}
        sent(cast.web, event("buy", device, properties, timestamp=ago(days=days)))
    sent(cast.web, event("look", "phone", {"$process_person_profile": False}, timestamp=ago(days=3)))
    sent(cast.web, event("sign", "laptop", timestamp=ago(hours=60)))
    return cast.web


def merge(project: Project) -> None:
    sent(project, identified("laptop", "phone"))
    assert person_of(project, "laptop").uuid == person_of(project, "phone").uuid


def test_a_merged_person_has_a_property_once(project: Project, cast: Cast, alice: Caller):
    cohort = create(cast, alice, leaf("plan", value="pro"))
    assert computed(cast, alice, cohort) == (3, {"anna", "ben"})
    merge(project)
    # Already before it is computed again.
    assert alice.get(cohorts_url(cast, cohort)).json()["count"] == 2
    assert computed(cast, alice, cohort) == (2, {"anna", "ben"})
    fold(project.pk)
    assert computed(cast, alice, cohort) == (2, {"anna", "ben"})
    work()
    assert bad() == []


KINDS = {
    "once": behavior(key="buy", time_value=30),
    "exactly twice": behavior("performed_event_multiple", key="buy", time_value=30, operator="exact", operator_value=2),
    "for the first time": behavior("performed_event_first_time", key="buy", time_value=36, time_interval="hour"),
    "in a sequence": behavior(
        "performed_event_sequence",
        key="look",
        time_value=30,
        seq_event="sign",
        seq_event_type="events",
        seq_time_value=36,
        seq_time_interval="hour",
    ),
    "regularly": behavior(
        "performed_event_regularly",
        key="buy",
        time_value=1,
        time_interval="day",
        operator="gte",
        operator_value=1,
        min_periods=2,
        total_periods=4,
    ),
    "not any more": behavior(
        "stopped_performing_event",
        key="buy",
        time_value=30,
        time_interval="day",
        seq_time_value=36,
        seq_time_interval="hour",
    ),
    "again": behavior(
        "restarted_performing_event",
        key="buy",
        time_value=36,
        time_interval="hour",
        seq_time_value=30,
        seq_time_interval="hour",
    ),
}
#: Who meets them before Anna's devices are one person, and afterwards.
MEMBERS = {
    "once": ({"anna", "ben"}, {"anna", "ben"}),
    "exactly twice": (set(), {"anna"}),
    "for the first time": ({"anna", "ben"}, {"ben"}),
    "in a sequence": (set(), {"anna"}),
    "regularly": (set(), {"anna"}),
    "not any more": ({"anna"}, set()),
    "again": (set(), {"anna"}),
}


def test_what_a_merged_person_did_is_counted_together(project: Project, cast: Cast, alice: Caller):
    cohorts = {kind: create(cast, alice, condition) for kind, condition in KINDS.items()}

    def found() -> dict[str, tuple[int, set[str]]]:
        return {kind: computed(cast, alice, cohort) for kind, cohort in cohorts.items()}

    assert {kind: names for kind, (_, names) in found().items()} == {
        kind: names for kind, (names, _) in MEMBERS.items()
    }
    merge(project)
    assert PersonOverride.objects.exists()
    after = {kind: (len(names), names) for kind, (_, names) in MEMBERS.items()}
    assert found() == after
    fold(project.pk)
    assert not PersonOverride.objects.exists()
    assert found() == after
    work()
    assert bad() == []


def test_a_personless_event_makes_nobody_a_member_until_its_id_is_merged(project: Project, cast: Cast, alice: Caller):
    cohort = create(cast, alice, behavior(key="visit", time_value=30))
    sent(project, event("visit", "watch", {"$process_person_profile": False}, timestamp=ago(hours=1)))
    assert computed(cast, alice, cohort) == (0, set())
    sent(project, identified("laptop", "watch"))
    assert computed(cast, alice, cohort) == (1, {"anna"})
    fold(project.pk)
    assert computed(cast, alice, cohort) == (1, {"anna"})


@pytest.mark.parametrize(
    ("ids", "left"),
    [
        (["phone"], {"laptop"}),
        (["laptop"], {"laptop"}),
        (["phone", "laptop", "tablet"], {"laptop", "tablet"}),
        ([], set()),
    ],
    ids=["who is merged away", "who stays", "both", "none"],
)
def test_static_memberships_move_with_a_merge(
    project: Project, cast: Cast, alice: Caller, ids: list[str], left: set[str]
):
    found = owners(project)
    body = {"is_static": True, "name": "static", "_create_static_person_ids": [str(found[each]) for each in ids]}
    cohort = alice.post(cohorts_url(cast), body).json()
    work()
    merge(project)
    uuids = {found[each] for each in left}
    assert set(CohortMember.objects.filter(cohort_id=cohort["id"]).values_list("person_uuid", flat=True)) == uuids
    rows = alice.get(f"{cohorts_url(cast, cohort)}persons/").json()["results"]
    assert {UUID(row["uuid"]) for row in rows} == uuids
    assert alice.get(cohorts_url(cast, cohort)).json()["count"] == len(uuids)
    assert bad() == []
    work()
    assert bad() == []


def test_memberships_move_along_a_chain_in_one_request(project: Project, cast: Cast):
    cohort = Cohort.objects.create(project=project, is_static=True, count=2)
    for each in ("phone", "tablet"):
        uuid = owners(project)[each]
        CohortMember.objects.create(project_id=project.pk, cohort_id=cohort.pk, person_uuid=uuid)
    chain = [("laptop", "phone"), ("new", "laptop"), ("tablet", "new")]
    sent(
        project, event("visit", "new"), *(event("$merge_dangerously", into, {"alias": other}) for into, other in chain)
    )
    assert [each.person_uuid for each in CohortMember.objects.all()] == [owners(project)["tablet"]]
    cohort.refresh_from_db()
    assert cohort.count == 1
    assert bad() == []

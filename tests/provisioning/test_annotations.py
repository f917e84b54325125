from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotations.models import Annotation
from core6.provisioning.provision import provision_text
from core6.provisioning.world import WorldError
from projects.models import Project
from tests.conftest import Caller

pytestmark = pytest.mark.django_db
P = "organizations[0].projects[0]"
KEY = "phx_fixed_for_the_tests"
WORLD = f"""
users: [{{email: alice@example.com, first_name: Alice}}]
organizations:
  - name: Acme
    members: {{alice@example.com: owner}}
    projects:
      - name: Web
        dashboards: [{{name: Launch}}]
        insights: [{{name: Signups}}]
        annotations:
          - {{content: Launched, date_marker: 2026-01-02T03:04:05Z, created_by: alice@example.com}}
          - {{content: Launched, date_marker: 2026-02-02}}
          - {{content: Deployed, date_marker: -3d, scope: dashboard, dashboard: Launch, creation_type: GIT}}
          - {{content: Measured, scope: dashboard_item, insight: Signups}}
api_keys: [{{label: ci, user: alice@example.com, scopes: ["*"], value: {KEY}}}]
"""


def declared(*annotations: str) -> str:
    return f"organizations: [{{name: Acme, projects: [{{name: Web, annotations: [{', '.join(annotations)}]}}]}}]"


def web(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["organizations"]["Acme"]["projects"]["Web"]
    return found


def rows() -> list[Any]:
    return list(Annotation.objects.order_by("pk").values())


def test_annotations_get_every_given_property_and_the_api_shows_them():
    made = web(provision_text(WORLD))
    assert made["annotations"] == [{"id": row["id"]} for row in rows()]
    body = Caller(KEY).get(f"/api/projects/{made['id']}/annotations/", order="date_marker").json()
    shown = {each["id"]: each for each in body["results"]}
    launched, later, deployed, measured = (shown[each["id"]] for each in made["annotations"])
    assert (launched["content"], launched["date_marker"]) == ("Launched", "2026-01-02T03:04:05Z")
    assert (launched["scope"], launched["creation_type"]) == ("project", "USR")
    assert launched["created_by"]["email"] == "alice@example.com"
    assert (later["date_marker"], later["created_by"]) == ("2026-02-02T00:00:00Z", None)
    assert (deployed["scope"], deployed["dashboard_name"], deployed["creation_type"]) == ("dashboard", "Launch", "GIT")
    age = timezone.now() - datetime.fromisoformat(deployed["date_marker"]) - timedelta(days=3)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert (measured["scope"], measured["insight_name"]) == ("dashboard_item", "Signups")
    assert measured["date_marker"] is None


def test_a_second_run_prints_the_same_and_writes_nothing():
    first, before = web(provision_text(WORLD)), rows()
    assert web(provision_text(WORLD)) == first
    assert rows() == before


def test_a_second_run_updates_what_it_gives():
    provision_text(WORLD)
    provision_text(declared("{content: Launched, date_marker: 2026-02-02T00:00:00Z, scope: organization}"))
    scopes = Annotation.objects.filter(content="Launched").order_by("date_marker").values_list("scope", flat=True)
    assert list(scopes) == ["project", "organization"]
    provision_text(declared("{content: Deployed, date_marker: -1d, creation_type: USR}"))
    deployed = Annotation.objects.get(content="Deployed")
    assert (deployed.creation_type, deployed.scope) == ("USR", "dashboard")
    assert deployed.date_marker is not None
    assert deployed.date_marker < datetime.now(UTC) - timedelta(days=2)


def test_a_deleted_annotation_is_made_anew():
    provision_text(declared("{content: A}"))
    Annotation.objects.update(deleted=True)
    provision_text(declared("{content: A}"))
    assert Annotation.objects.count() == 2


def test_a_text_is_stripped_as_in_the_api():
    provision_text(declared('{content: "A\\n"}'))
    provision_text(declared("{content: A}"))
    assert Annotation.objects.get().content == "A"


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("{date_marker: -3d}", f"{P}.annotations[0].content: this property is required"),
        ("{content: ''}", f"{P}.annotations[0].content: String should have at least 1 character"),
        ("{content: A, date_marker: 5}", f"{P}.annotations[0].date_marker: expected a time, got 5"),
        ("{content: A, insight: B}", f"{P}.annotations[0].insight: there is no insight 'B': add one to insights"),
        (f"{{content: {'x' * 8193}}}", f"{P}.annotations[0].content: Ensure this field has no more than 8192"),
        (
            "{content: A, scope: recording}",
            f"{P}.annotations[0].scope: Input should be 'dashboard_item', 'dashboard', 'project' or 'organization'",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(annotation: str, message: str):
    with pytest.raises(WorldError) as refusal:
        provision_text(declared(annotation))
    assert str(refusal.value).startswith(message)
    assert len(refusal.value.lines) == 1
    assert not Project.objects.exists()


def test_two_of_one_text_need_times_that_tell_them_apart():
    with pytest.raises(WorldError) as refusal:
        provision_text(declared("{content: A, date_marker: -3d}", "{content: A, date_marker: 2026-01-01}"))
    message = "another annotation has this content: give all of them a date_marker that is not relative"
    assert refusal.value.lines == (f"{P}.annotations[0].content: {message}",)

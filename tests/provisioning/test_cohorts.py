from typing import Any

import pytest

from cohorts.models import Calculation, Cohort, CohortMember
from core6.accounts.models import Organization
from core6.provisioning.provision import provision_text
from core6.provisioning.world import WorldError
from projects.models import Project
from tests.conftest import Cast
from tests.support.cohorts.people import waiting, work

pytestmark = pytest.mark.django_db
P = "organizations[0].projects[0]"
WORLD = """
users: [{email: alice@example.com, first_name: Alice}]
organizations:
  - name: Acme
    members: {alice@example.com: owner}
    projects:
      - name: Web
        persons:
          - {distinct_ids: [p1, ann], properties: {plan: pro}}
          - {distinct_ids: [p2], properties: {plan: free}}
          - {distinct_ids: [p3], properties: {plan: pro}}
        events: [{distinct_id: p1, event: purchase, timestamp: -2d}]
        cohorts:
          - name: Paying
            description: Who pays
            created_by: alice@example.com
            filters: {properties: {type: AND, values: [{type: person, key: plan, operator: exact, value: pro}]}}
          - name: Buyers
            filters:
              properties:
                type: AND
                values:
                  - {type: cohort, key: id, value: Paying}
                  - {type: behavioral, key: purchase, value: performed_event, event_type: events, time_value: 7,
                     time_interval: day}
          - {name: Friends, is_static: true, members: [ann, p2]}
api_keys: [{label: ci, user: alice@example.com, scopes: ["*"], value: phx_fixed_for_the_tests}]
"""


def declared(*cohorts: str, **more: str) -> str:
    rest = "".join(f"{name}: {value}, " for name, value in more.items())
    return f"organizations: [{{name: Acme, projects: [{{name: Web, {rest}cohorts: [{', '.join(cohorts)}]}}]}}]"


def web(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["organizations"]["Acme"]["projects"]["Web"]
    return found


def rows() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in (Cohort, CohortMember, Calculation)]


def test_cohorts_of_every_kind_are_computed_over_the_people_of_the_file(cast: Cast):
    Organization.objects.exclude(pk=cast.globex.pk).delete()
    made = web(provision_text(WORLD))
    assert list(made["cohorts"]) == ["Paying", "Buyers", "Friends"]
    work()
    found = {each.name: each for each in Cohort.objects.filter(project_id=made["id"])}
    assert {name: {"id": each.pk} for name, each in found.items()} == made["cohorts"]
    assert {name: (each.count, each.is_static) for name, each in found.items()} == {
        "Paying": (2, False),
        "Buyers": (1, False),
        "Friends": (2, True),
    }
    assert found["Buyers"].references == {made["cohorts"]["Paying"]["id"]}
    assert (found["Paying"].description, str(found["Paying"].created_by)) == ("Who pays", "alice@example.com")
    assert found["Buyers"].created_by is None
    assert [each.errors_calculating for each in found.values()] == [0, 0, 0]


def test_the_api_shows_them_as_its_own(cast: Cast):
    Organization.objects.exclude(pk=cast.globex.pk).delete()
    made = web(provision_text(WORLD))
    work()
    caller = cast.caller(cast.alice)
    cohorts = f"/api/projects/{made['id']}/cohorts/"
    sent = {"name": "Paying", "description": "Who pays", "filters": {"properties": {"type": "AND", "values": [
        {"type": "person", "key": "plan", "operator": "exact", "value": "pro"}]}}}  # fmt: skip
    own = caller.post(cohorts, sent).json()
    shown = caller.get(f"{cohorts}{made['cohorts']['Paying']['id']}/").json()
    given = set(own) - {"id", "created_at", "created_by", "count", "is_calculating", "last_calculation"}
    given -= {"version", "pending_version"}
    assert {name: shown[name] for name in given} == {name: own[name] for name in given}


def test_a_second_run_prints_the_same_and_writes_nothing():
    first = web(provision_text(WORLD))
    work()
    before = rows()
    assert web(provision_text(WORLD)) == first
    assert waiting() == []
    assert rows() == before


def test_a_second_run_with_other_criteria_computes_again():
    provision_text(WORLD)
    work()
    provision_text(WORLD.replace("value: pro}", "value: free}"))
    work()
    assert dict(Cohort.objects.values_list("name", "count")) == {"Paying": 1, "Buyers": 0, "Friends": 2}


def test_a_second_run_updates_what_it_gives_and_adds_members():
    provision_text(WORLD)
    work()
    provision_text(declared("{name: Friends, description: New, is_static: true, members: [p3]}"))
    friends = Cohort.objects.get(name="Friends")
    assert (friends.description, friends.count) == ("New", 3)
    assert Cohort.objects.get(name="Paying").description == "Who pays"


def test_names_are_stripped_as_in_the_api():
    provision_text(declared('{name: " Paying "}'))
    provision_text(declared("{name: Paying}"))
    assert Cohort.objects.get().name == "Paying"


def test_a_cohort_may_refer_to_one_that_exists():
    provision_text(WORLD)
    reference = "{properties: {type: AND, values: [{type: cohort, key: id, value: Friends}]}}"
    provision_text(declared(f"{{name: The same, filters: {reference}}}"))
    work()
    assert Cohort.objects.get(name="The same").count == 2


def test_a_static_cohort_takes_the_persons_of_its_query():
    query = "{kind: ActorsQuery, properties: [{type: person, key: plan, operator: exact, value: pro}]}"
    persons = "[{distinct_ids: [a], properties: {plan: pro}}, {distinct_ids: [b]}]"
    provision_text(declared(f"{{name: Copied, is_static: true, query: {query}}}", persons=persons))
    work()
    assert Cohort.objects.get().count == 1


def test_a_bad_expression_is_accepted_and_fails_when_it_is_computed():
    bad = "{properties: {type: AND, values: [{type: person, key: a, operator: regex, value: '('}]}}"
    provision_text(declared(f"{{name: Broken, filters: {bad}}}"))
    work()
    assert Cohort.objects.get().errors_calculating == 1


@pytest.mark.parametrize(
    ("cohort", "message"),
    [
        ("{}", f"{P}.cohorts[0].name: this property is required"),
        ("{name: ' '}", f"{P}.cohorts[0].name: String should have at least 1 character"),
        ("{name: A, count: 3}", f"{P}.cohorts[0].count: unknown property"),
        ("{name: A, filters: {}}", f"{P}.cohorts[0].filters: Must contain a 'properties' key with type and values"),
        (
            "{name: A, filters: {properties: {type: NOR, values: []}}}",
            f"{P}.cohorts[0].filters.properties.type: Input should be 'AND' or 'OR', did you mean OR?",
        ),
        (
            "{name: A, filters: {properties: {type: OR, values: [{type: person, key: a}]}}}",
            f"{P}.cohorts[0].filters.properties.values[0]: Missing required keys for person filter: value, operator",
        ),
        (
            "{name: A, filters: {properties: {type: OR, values: [{type: AND, values: [{type: event}]}]}}}",
            f"{P}.cohorts[0].filters.properties.values[0].values[0]: 'event' is none of 'behavioral', 'cohort',",
        ),
        (
            "{name: A, is_static: true, members: [a]}",
            f"{P}.cohorts[0].members[0]: there is no person with the distinct id 'a': add one to persons",
        ),
        (
            "{name: A, query: {kind: ActorsQuery}}",
            f"{P}.cohorts[0]: Cannot create a dynamic cohort with a query. Set is_static to true.",
        ),
        (
            "{name: A, created_by: z@x.io}",
            f"{P}.cohorts[0].created_by: there is no user 'z@x.io': add one to users",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(cohort: str, message: str):
    with pytest.raises(WorldError) as refusal:
        provision_text(declared(cohort))
    assert str(refusal.value).startswith(message)
    assert len(refusal.value.lines) == 1
    assert not Project.objects.exists()


def test_a_loop_of_references_is_refused():
    provision_text(WORLD)
    loop = "{properties: {type: AND, values: [{type: cohort, key: id, value: Buyers}]}}"
    with pytest.raises(WorldError, match=r"cohorts\[0\]: Cohorts cannot reference other cohorts in a loop"):
        provision_text(declared(f"{{name: Paying, filters: {loop}}}"))


def test_a_name_of_two_cohorts_is_refused():
    made = web(provision_text(declared("{name: A}")))
    Cohort.objects.create(project_id=made["id"], name="A")
    with pytest.raises(WorldError, match=r"cohorts\[0\]: two cohorts have this name: rename one of them"):
        provision_text(declared("{name: A}"))


def test_a_deleted_cohort_is_made_anew():
    provision_text(declared("{name: A}"))
    Cohort.objects.update(deleted=True)
    provision_text(declared("{name: A}"))
    assert sorted(Cohort.objects.values_list("name", "deleted")) == [("A", False), ("A", True)]

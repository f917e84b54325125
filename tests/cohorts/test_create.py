from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf, members, person, waiting, work
from tests.support.urls import cohorts_url as url


def test_a_new_dynamic_cohort_is_computed(cast: Cast, alice: Caller):
    for name, plan in (("a", "pro"), ("b", "free"), ("c", "pro")):
        person(cast.web, name, name=name, plan=plan)
    person(cast.app, name="elsewhere", plan="pro")
    response = alice.post(url(cast), {"name": "Pros", "filters": all_of(leaf("plan", value="pro"))})
    body = response.json()
    assert response.status_code == 201, body
    assert " ".join(body) == (
        "id name description groups deleted filters query version pending_version is_calculating created_by"
        " created_at last_calculation errors_calculating last_error_message count is_static cohort_type"
        " experiment_set _create_in_folder _create_static_person_ids"
    )
    assert body["created_by"]["email"] == "alice@example.com"
    assert {**body, "id": 0, "created_by": 0, "created_at": 0} == {
        "id": 0,
        "name": "Pros",
        "description": "",
        "groups": [],
        "deleted": False,
        "filters": {
            "properties": {
                "type": "AND",
                "values": [{"type": "person", "key": "plan", "operator": "exact", "value": "pro", "negation": False}],
            }
        },
        "query": None,
        "version": None,
        "pending_version": 1,
        "is_calculating": True,
        "created_by": 0,
        "created_at": 0,
        "last_calculation": None,
        "errors_calculating": 0,
        "last_error_message": None,
        "count": None,
        "is_static": False,
        "cohort_type": "realtime",
        "experiment_set": [],
        "_create_in_folder": "Unfiled/Cohorts",
        "_create_static_person_ids": [],
    }
    assert waiting() == [("cohorts.tasks.calculate_cohort", {"cohort_id": body["id"]})]
    assert work() == 1
    done = alice.get(f"{url(cast)}{body['id']}/").json()
    assert (done["is_calculating"], done["version"], done["pending_version"], done["count"]) == (False, 1, 1, 2)
    assert done["last_calculation"] is not None
    assert members(alice, body, cast.web) == {"a", "c"}

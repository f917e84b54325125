"""Digits of other scripts are no numbers and no dates of a cohort; tests/api/test_numbers.py tests other resources."""

from typing import Any, Final

import pytest

from tests.conftest import Caller, Cast
from tests.support.cohorts.criteria_parts import LATER, behavior, cohort, person, tree
from tests.support.cohorts.people import person as stored_person

#: The same digits as others write them, and as Python does.
WRITTEN: Final = {
    "Arabic": lambda text: text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    "full width": lambda text: "".join(chr(0xFF10 + int(each)) if each.isdecimal() else each for each in text),
    "superscript": lambda text: text.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")),
    "an underscore": lambda text: f"0_{text}",
}
COUNTED: Final = {"value": "performed_event_multiple", "operator": "gte", "operator_value": 1}
SEQUENCE: Final = {"value": "performed_event_sequence", "seq_event": "paid", "seq_event_type": "events", **LATER}
REGULAR: Final = {"value": "performed_event_regularly", **COUNTED, "min_periods": 1, "total_periods": 3}
LEAVES: Final = {
    "time_value": behavior(),
    "operator_value": behavior(**COUNTED),
    "seq_time_value": behavior(**SEQUENCE),
    "min_periods": behavior(**REGULAR),
    "total_periods": behavior(**REGULAR),
}


def post(cast: Cast, alice: Caller, **body: Any) -> Any:
    return alice.post(f"/api/projects/{cast.web.pk}/cohorts/", body)


@pytest.mark.parametrize("field", LEAVES)
@pytest.mark.parametrize("written", WRITTEN)
def test_digits_of_other_scripts_in_behavior_are_refused(cast: Cast, alice: Caller, field: str, written: str):
    assert post(cast, alice, filters=tree({**LEAVES[field], field: "3"})).status_code == 201
    answer = post(cast, alice, filters=tree({**LEAVES[field], field: WRITTEN[written]("3")}))
    assert (answer.status_code, answer.json()["attr"]) == (400, "filters")


@pytest.mark.parametrize("written", WRITTEN)
def test_digits_of_other_scripts_in_a_reference_are_refused(cast: Cast, alice: Caller, written: str):
    other = str(post(cast, alice).json()["id"])
    assert post(cast, alice, filters=tree(cohort(value=other))).status_code == 201
    answer = post(cast, alice, filters=tree(cohort(value=WRITTEN[written](other))))
    assert (answer.status_code, answer.json()["attr"]) == (400, "filters")


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_no_reference_keeps_no_cohort(cast: Cast, alice: Caller, written: str):
    """The filters of test accounts are kept unchecked; a cohort that they refer to cannot be deleted."""
    project = f"/api/projects/{cast.web.pk}/"
    key = post(cast, alice).json()["id"]
    leaf = {"type": "cohort", "key": "id", "value": str(key)}
    alice.patch(project, {"test_account_filters": [leaf]})
    assert alice.patch(f"{project}cohorts/{key}/", {"deleted": True}).status_code == 400
    alice.patch(project, {"test_account_filters": [{**leaf, "value": WRITTEN[written](str(key))}]})
    assert alice.patch(f"{project}cohorts/{key}/", {"deleted": True}).status_code == 200


@pytest.mark.parametrize("written", WRITTEN)
def test_digits_of_other_scripts_in_groups_are_refused(cast: Cast, alice: Caller, written: str):
    group = {"event_id": "paid", "days": 7, "count": 1, "count_operator": "gte"}
    assert post(cast, alice, groups=[{**group, "days": "3"}]).status_code == 201
    answer = post(cast, alice, groups=[{**group, "days": WRITTEN[written]("3")}])
    assert (answer.status_code, answer.json()["attr"]) == (400, "groups")
    # A count that is not a number is ignored.
    shown = [post(cast, alice, groups=[{**group, "count": text}]) for text in (WRITTEN[written]("3"), "nonsense")]
    assert shown[0].json()["filters"] == shown[1].json()["filters"]


@pytest.mark.parametrize("text", ["-3d", "2024-01-15", "January 15, 2024"])
@pytest.mark.parametrize("written", ["Arabic", "full width", "superscript"])
def test_digits_of_other_scripts_in_a_date_are_refused(cast: Cast, alice: Caller, written: str, text: str):
    assert post(cast, alice, filters=tree(person(operator="is_date_before", value=text))).status_code == 201
    answer = post(cast, alice, filters=tree(person(operator="is_date_before", value=WRITTEN[written](text))))
    assert (answer.status_code, answer.json()["attr"]) == (400, "filters")


@pytest.mark.parametrize("written", ["Arabic", "full width", "superscript", "an underscore"])
def test_digits_of_other_scripts_in_a_bound_are_refused(cast: Cast, alice: Caller, written: str):
    path = f"/api/projects/{cast.web.pk}/cohorts/{post(cast, alice, is_static=True).json()['id']}/persons/"

    def narrowed(low: str) -> int:
        leaf = {"key": "age", "operator": "between", "value": [low, "9"]}
        return alice.get(path, properties=str([leaf]).replace("'", '"')).status_code

    assert (narrowed("3"), narrowed(WRITTEN[written]("3"))) == (200, 400)


@pytest.mark.parametrize("written", ["Arabic", "full width"])
def test_digits_of_other_scripts_in_ids_of_persons_are_refused(cast: Cast, alice: Caller, written: str):
    found = stored_person(cast.web).uuid.hex
    assert post(cast, alice, is_static=True, _create_static_person_ids=[found]).status_code == 201
    answer = post(cast, alice, is_static=True, _create_static_person_ids=[WRITTEN[written](found)])
    assert (answer.status_code, answer.json()["attr"]) == (400, "_create_static_person_ids")

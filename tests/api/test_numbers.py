"""Digits of other scripts are no numbers (Python would read `٣` as 3): in no body, query or path of any operation."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.analytics.models import Dashboard, Insight, Person
from core6.api.ids import parse_uuid
from core6.api.openapi.schema import ENVIRONMENTS
from tests.api.test_permission_matrix import MATRIX
from tests.conftest import Caller, Cast
from tests.support.api.schema import SCHEMA
from tests.support.sampling import sampled

FORM: Final = "application/x-www-form-urlencoded"
ID: Final = 1_000_000_001
DIGITS: Final = "0123456789"
#: The same digits as others write them, and as Python does.
SCRIPTS: Final = {
    "Arabic": str.maketrans(DIGITS, "٠١٢٣٤٥٦٧٨٩"),
    "Devanagari": str.maketrans(DIGITS, "०१२३४५६७८९"),
    "full width": str.maketrans(DIGITS, "".join(chr(0xFF10 + number) for number in range(10))),
    "superscript": str.maketrans(DIGITS, "⁰¹²³⁴⁵⁶⁷⁸⁹"),
    "one of them Arabic": {ord("1"): 0x661},
}
SCHEMAS: Final = SCHEMA["components"]["schemas"]
OPERATIONS: Final = {each["operationId"]: each for path in SCHEMA["paths"].values() for each in path.values()}


def kind_of(schema: dict[str, Any]) -> str | None:
    """Return which kind of number a schema means, if any: `integer`, or the format of a text."""
    if "$ref" in schema:
        return kind_of(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    for part in (*schema.get("oneOf", ()), *schema.get("allOf", ()), schema.get("items", {})):
        if part and (found := kind_of(part)):
            return found
    if schema.get("type") == "integer":
        return "integer"
    return schema["format"] if schema.get("format") in ("decimal", "date-time", "uuid") else None


def fields(operation: str) -> dict[str, str]:
    """Return the fields of an operation's body that are numbers, or made of digits, and of which kind each is."""
    body = OPERATIONS[operation].get("requestBody")
    if body is None:
        return {}
    component = SCHEMAS[body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    kinds = {name: kind_of(schema) for name, schema in component["properties"].items()}
    return {name: kind for name, kind in kinds.items() if kind}


#: Environments are projects by another name.
ROWS: Final = {name: row for name, row in MATRIX.items() if not row.path.startswith(ENVIRONMENTS)}
WITH_NUMBERS: Final = [name for name in ROWS if fields(name)]
QUERIES: Final = [
    (name, each["name"])
    for name in ROWS
    for each in OPERATIONS[name].get("parameters", ())
    if each["in"] == "query" and each["schema"].get("type") == "integer"
]
WITH_IDS: Final = [name for name, row in ROWS.items() if "id}" in row.path]


@pytest.fixture
def right(cast: Cast) -> dict[str, str]:
    """Return a right text of each kind, and of the ids of others; the UUID is a member and a person."""
    Dashboard.objects.create(pk=ID, project=cast.web)
    Insight.objects.create(pk=ID, project=cast.web)
    Person.objects.create(project_id=cast.web.pk, uuid=cast.carol.uuid)
    ids = dict.fromkeys(("dashboard_id", "dashboard_item", "primary_dashboard"), str(ID))
    kinds = {"integer": "1", "decimal": "1", "date-time": "2026-01-01T00:00:00Z", "uuid": str(cast.carol.uuid)}
    return {**ids, **kinds}


def written_otherwise(text: str) -> Iterator[str]:
    yield from dict.fromkeys(other for script in SCRIPTS.values() if (other := text.translate(script)) != text)
    yield text.replace("1", "0_1")


def bodies(field: str, text: str) -> Iterator[tuple[Any, str]]:
    """Yield a body with a text in JSON, and as a form."""
    yield {field: [text] if field.endswith("_ids") else text}, "application/json"
    yield urlencode({field: text}), FORM


@pytest.mark.parametrize("operation", sampled(WITH_NUMBERS, 3))
def test_digits_of_other_scripts_in_a_body_are_refused(
    cast: Cast, alice: Caller, right: dict[str, str], operation: str
):
    row = MATRIX[operation]
    url = row.url(cast)
    for field, kind in fields(operation).items():
        plain = right.get(field, right[kind])
        # A new project refuses any value of it.
        is_taken = not (field == "primary_dashboard" and operation.endswith("create") and row.success == 201)
        for text in written_otherwise(plain):
            for body, content_type in bodies(field, text):
                answer = alice.request(row.method, url, body, content_type=content_type)
                assert answer.status_code == 400, (field, text, content_type)
                refusal = answer.json()
                assert refusal.keys() == {"type", "code", "detail", "attr"}
                assert refusal["attr"] == (None if field.startswith("person_id") else field)
        answer = alice.request(row.method, url, next(bodies(field, plain))[0])
        assert (answer.status_code < 300) == is_taken, (field, answer.json())


@pytest.mark.parametrize(("operation", "parameter"), QUERIES)
def test_digits_of_other_scripts_in_a_query_are_no_number(cast: Cast, alice: Caller, operation: str, parameter: str):
    """A number that cannot be read is what any such text is: refused, or ignored where it only says which page."""
    url = MATRIX[operation].url(cast)
    for name in ("one", "two", "three"):
        alice.post(f"/api/projects/{cast.web.pk}/annotations/", {"content": name, "scope": "project"})
        Cohort.objects.create(project=cast.web, name=name, created_by=cast.alice)
    Annotation.objects.update(content="changed")
    unreadable = alice.get(url, **{parameter: "nonsense"})
    assert unreadable.status_code == {"created_by_id": 400, "page": 404}.get(parameter, 200)
    for text in written_otherwise("1"):
        answer = alice.get(url, **{parameter: text})
        assert (answer.status_code, answer.json()) == (unreadable.status_code, unreadable.json()), text
    assert unreadable.status_code == 200 or unreadable.json().keys() == {"type", "code", "detail", "attr"}


@pytest.mark.parametrize("operation", sampled(WITH_IDS, 3))
def test_digits_of_other_scripts_in_a_path_name_nothing(cast: Cast, alice: Caller, operation: str):
    row = MATRIX[operation]
    template, url, body = row.path.split("/"), row.url(cast).split("/"), row.sent(cast)
    for place, name in enumerate(template):
        if not name.startswith("{") or (row.success == 405 and name == "{id}"):
            continue  # of what is never deleted no id is looked up
        for script in SCRIPTS.values():
            if (other := url[place].translate(script)) == url[place]:
                continue
            path = "/".join([*url[:place], quote(other), *url[place + 1 :]])
            assert alice.request(row.method, path, body).status_code == 404, (name, other)


@pytest.mark.parametrize(
    "text",
    [
        "0195-a0c0-0000-7000-80000000000000b0",
        "0195a0c00000700080000000000000b0----",
        "{0195a0c0000070008000000000000b}",
        "0x95a0c0000070008000000000000000",
        "+195a0c0000070008000000000000000",
        " 195a0c0000070008000000000000000",
        "0_9_a0c0000070008000000000000000",
        "٣195a0c000007000800000000000000b",
    ],
)
def test_what_only_python_takes_for_a_uuid(text: str):
    assert parse_uuid(text) is None


def test_there_are_many_of_each_kind():
    assert {kind for name in WITH_NUMBERS for kind in fields(name).values()} == {
        *("integer", "decimal", "date-time", "uuid"),
    }
    assert sum(len(fields(name)) for name in WITH_NUMBERS) >= 50
    assert len(QUERIES) >= 20
    assert len(WITH_IDS) >= 50

"""Texts that mean something to SQL, JSON paths, patterns or Python are texts: they are stored, compared and found."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final
from urllib.parse import quote

import pytest
from django.db import connection

from annotations.models import Annotation
from cohorts.models import Cohort, CohortMember
from core6.analytics.models import DistinctId, Person
from tests.attacks.marked_world import World, taken_back
from tests.conftest import Caller
from tests.support.api.bad_requests import operations
from tests.support.cohorts.people import NOW, all_of, did, leaf, person, work
from tests.support.database_state import state
from tests.support.routes import api_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
TEXTS: Final = (
    *("'", "''", '"', "a'b", 'a"b', "\\", "a\\", "\\'", "\\\\", "`", ";", ";--", "--", "/*", "*/", "#"),
    *(
        "' OR '1'='1",
        "') OR true --",
        "x'; DROP TABLE analytics_person; --",
        "'||(SELECT 1)||'",
        "E'\\x41'",
        "$$",
        "$1",
    ),
    *(
        "%",
        "_",
        "%%",
        "%s",
        "%(a)s",
        "%d",
        "%n",
        "{}",
        "{0}",
        "{a}",
        "{0.__class__}",
        "{{7*7}}",
        "${7*7}",
        "#{7}",
        ":a",
    ),
    *(
        "->>",
        "a->>'b'",
        "@>",
        "?",
        "??",
        "?|",
        "$.a",
        "$[*]",
        "$.** ? (@ == 1)",
        "a.b",
        "a[0]",
        "{a,b}",
        "::text",
        "\\N",
    ),
    *(
        ".",
        ".*",
        "^",
        "$",
        "(",
        ")",
        "[",
        "[a-z]",
        "*",
        "+",
        "a{9}",
        "\\d",
        "\\1",
        "(?i)x",
        "(a+)+$",
        "|",
        "a|b",
        "(?<x>a)",
    ),
    *(
        "null",
        "NULL",
        "true",
        "1",
        "1.0",
        "1e3",
        "0x1",
        "NaN",
        "Infinity",
        "-7d",
        "2024-01-01",
        "1.2.x",
        "[1]",
        '{"a": 1}',
    ),
    *(
        "email",
        "\u0435mail",
        "\uff45mail",
        "e\u200bmail",
        "EMAIL",
        "\xe9",
        "e\u0301",
        "\u0130",
        "i\u0307",
        "\xdf",
        "ss",
    ),
    *("a\tb", "a\nb", "a\r\nb", "\x7f", "a\u2028b", "a\u202eb", "\ufeffa", "\U0001f994", "x" * 390, "<b>", "__class__"),
)
#: No text of JSON in Postgres.
PLACE: Final = "PLACE"
UNSTORABLE: Final = ("\\u0000", "a\\u0000b", "\\ud800", "a\\udc00b", "\\udc00\\ud800")
#: What a property must have, so that nobody without it is chosen.
POSITIVE: Final = (
    *("exact", "icontains", "regex", "gt", "gte", "lt", "lte", "min", "max", "in", "between", "is_set"),
    *("is_date_exact", "is_date_before", "is_date_after", "semver_eq", "semver_gt", "semver_lt", "semver_wildcard"),
)


@dataclass
class Stage:
    """A project where each text is a key, a value, an event and a distinct id of one person alone."""

    alice: Caller
    cohorts: str
    notes: str
    project: int
    people: dict[str, str]

    def chosen(self, filters: Any) -> set[str]:
        """Return the texts of the members of a cohort with these filters once it is calculated; none if refused."""
        response = self.alice.post(self.cohorts, {"filters": filters})
        assert response.status_code in (201, 400), response.content
        if response.status_code == 400:
            return set()
        work()
        members = CohortMember.objects.filter(cohort_id=response.json()["id"]).values_list("person_uuid", flat=True)
        return {self.people[str(uuid)] for uuid in members}


def people_tables() -> dict[str, str | None]:
    return {
        name: digest for name, digest in state().items() if name.startswith(("analytics_", "accounts_organization"))
    }


@pytest.fixture(scope="module")
def stage(world: World) -> Stage:
    people = {}
    for number, text in enumerate(TEXTS):
        made = person(world.shop, text, **{text: text, "value": text, "name": str(number)})
        did(made, text, NOW)
        did(made, "searched", NOW, what=text, **{text: text})
        people[str(made.uuid)] = text
        Cohort.objects.create(project=world.shop, name=text, is_static=True)
        Annotation.objects.create(organization=world.initech, project=world.shop, content=text, scope="project")
    people[str(person(world.shop, "nobody", other="x").uuid)] = "nobody"
    alice = world.cast.caller(world.cast.alice)
    alice.client.raise_request_exception = False
    alice.get("/api/users/@me/")
    base = f"/api/projects/{world.shop.pk}/"
    return Stage(alice, f"{base}cohorts/", f"{base}annotations/", world.shop.pk, people)


@pytest.fixture(autouse=True)
def people_stay_as_they_are(stage: Stage) -> Iterator[None]:
    before = people_tables()
    with taken_back():
        yield
        assert people_tables() == before
    assert not connection.needs_rollback


def behavior(**more: Any) -> dict[str, Any]:
    bare = {"type": "behavioral", "value": "performed_event", "event_type": "events", "explicit_datetime": "2020-01-01"}
    return {**bare, "key": "searched", "negation": False, **more}


def criterion(kind: str, text: str) -> dict[str, Any]:
    """Return the criterion that the person of a text meets alone, since the text is a key or a value there."""
    filters = {
        "what": {"type": "event", "key": "what", "operator": "exact", "value": text},
        "key": {"type": "event", "key": text, "operator": "is_set", "value": "is_set"},
    }
    return {
        "a key and its value": lambda: leaf(text, "exact", text),
        "a key that is set": lambda: leaf(text, "is_set", "is_set"),
        "a value": lambda: leaf("value", "exact", text),
        "a value in a list": lambda: leaf("value", "exact", ["of nobody", text]),
        "a part of a value": lambda: leaf(text, "icontains", text),
        "an event": lambda: behavior(key=text),
        "a value of an event": lambda: behavior(event_filters=[filters["what"]]),
        "a key of an event": lambda: behavior(event_filters=[filters["key"]]),
    }[kind]()


KINDS: Final = (
    *("a key and its value", "a key that is set", "a value", "a value in a list", "a part of a value"),
    *("an event", "a value of an event", "a key of an event"),
)
CASES: Final = sampled(product(KINDS, TEXTS), 14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cohort_holds_exactly_the_person_of_the_text(stage: Stage, kind: str):
    wrong = {}
    for text in [case[1] for case in CASES if case[0] == kind]:
        with taken_back():
            chosen = stage.chosen(all_of(criterion(kind, text)))
            if chosen != {text}:
                wrong[text] = chosen
    assert wrong == {}


BY_OPERATOR: Final = sampled(product(POSITIVE, TEXTS), 60)


@pytest.mark.parametrize("operator", POSITIVE)
def test_no_operator_chooses_anybody_without_the_property(stage: Stage, operator: str):
    wrong = {}
    for text in [case[1] for case in BY_OPERATOR if case[0] == operator]:
        with taken_back():
            value = [text, text] if operator in ("in", "between") else text
            chosen = stage.chosen(all_of(leaf(text, operator, value)))
            if chosen - {text}:
                wrong[text] = chosen
    assert wrong == {}


@pytest.mark.parametrize("text", sampled(TEXTS, 10))
def test_a_text_is_no_operator_or_kind(stage: Stage, text: str):
    """What is unknown is refused, or chooses no person."""
    for criterion_of in (
        leaf("value", text, "x"),
        {**leaf("value", "exact", "x"), "type": text},
        behavior(value=text),
        behavior(event_type=text),
        behavior(explicit_datetime=text),
        behavior(time_value=1, time_interval=text, explicit_datetime=None),
        behavior(operator=text, operator_value=1, value="performed_event_multiple"),
        behavior(event_filters=[{"type": text, "key": "what", "operator": "exact", "value": "x"}]),
    ):
        with taken_back():
            if text in ("2024-01-01", "-7d") and criterion_of.get("explicit_datetime") == text:
                continue  # a date
            assert stage.chosen(all_of(criterion_of)) == set(), criterion_of


@pytest.mark.parametrize("text", UNSTORABLE)
def test_what_no_database_stores_is_refused_or_chooses_nobody(stage: Stage, text: str):
    bodies: list[dict[str, Any]] = [
        {"filters": all_of(each)}
        for each in (
            leaf(PLACE, "exact", "x"),
            leaf("value", "exact", PLACE),
            leaf("value", "icontains", [PLACE]),
            leaf("value", "regex", PLACE),
            leaf("value", PLACE, "x"),
            behavior(key=PLACE),
            behavior(event_filters=[{"type": "event", "key": PLACE, "operator": "exact", "value": PLACE}]),
        )
    ]
    bodies += [{"name": PLACE}, {"description": PLACE}, {PLACE: "x"}]
    for body in bodies:
        with taken_back():
            response = stage.alice.post(stage.cohorts, json.dumps(body).replace(PLACE, text))
            assert response.status_code in (201, 400), (body, response.content)
            if response.status_code == 201:
                work()
                assert not CohortMember.objects.filter(cohort_id=response.json()["id"]).exists()
    for body in ({"content": PLACE, "scope": "project"}, {"date_marker": PLACE}):
        assert stage.alice.post(stage.notes, json.dumps(body).replace(PLACE, text)).status_code == 400


@pytest.mark.parametrize("size", [401, 10_000, 1_000_000])
def test_a_long_text_is_refused_or_only_a_value(stage: Stage, size: int):
    """A key or an event is refused beyond 400 characters; a value of any length is only a value."""
    text = "x'\\%" * (size // 4 + 1)
    for long in (leaf(text, "exact", "x"), behavior(key=text), leaf("value", text, "x")):
        with taken_back():
            assert stage.alice.post(stage.cohorts, {"filters": all_of(long)}).status_code == 400
    for operator in ("exact", "icontains", "gt", "is_date_after"):
        with taken_back():
            assert stage.chosen(all_of(leaf("value", operator, text))) <= ({"x" * 390} | set(TEXTS))


SEARCHED: Final = sampled([text for text in TEXTS if text.strip() == text], 8)


def test_a_search_of_cohorts_finds_the_names_that_hold_the_text(stage: Stage):
    wrong = {}
    for text in [each for each in SEARCHED if len(each) <= 200]:
        rows = stage.alice.get(stage.cohorts, search=text, limit=1000).json()["results"]
        names = {row["name"] for row in rows}
        if text not in names or any(text.upper() not in name.upper() for name in names):
            wrong[text] = names
    assert wrong == {}


def test_a_search_of_annotations_finds_the_contents_that_hold_the_text(stage: Stage):
    """Blanks, commas and quotation marks divide a search into words."""
    wrong = {}
    for text in [each for each in SEARCHED if len(each) <= 200 and not set(each) & set(" ,\"'\t\r\n\u2028")]:
        rows = stage.alice.get(stage.notes, search=text, limit=1000).json()["results"]
        contents = {row["content"] for row in rows}
        if text not in contents or any(text.upper() not in content.upper() for content in contents):
            wrong[text] = contents
    assert wrong == {}


def test_the_persons_of_a_cohort_are_narrowed_to_those_of_the_text(stage: Stage):
    """By a search, which looks into distinct ids, and by a condition on a property."""
    cohort = Cohort.objects.create(project_id=stage.project, is_static=True)
    for uuid in stage.people:
        CohortMember.objects.create(project_id=stage.project, cohort_id=cohort.pk, person_uuid=uuid)
    persons = f"{stage.cohorts}{cohort.pk}/persons/"
    assert len(stage.alice.get(persons, limit=1000).json()["results"]) == len(stage.people)
    wrong = {}
    for text in SEARCHED:
        rows = stage.alice.get(persons, search=text, limit=1000).json()["results"]
        found = {stage.people[row["uuid"]] for row in rows}
        # A digit is in many names and uuids.
        if text not in found or (not text.isascii() and found != {text}):
            wrong[text] = found
        for leaves in ([leaf(text, "exact", text)], [leaf(text, "is_set", "is_set"), leaf("value", "exact", text)]):
            rows = stage.alice.get(persons, properties=json.dumps(leaves)).json()["results"]
            if {stage.people[row["uuid"]] for row in rows} != {text}:
                wrong[text] = {row["uuid"] for row in rows}
    assert wrong == {}


#: For places that are many, these are enough.
FEW: Final = TEXTS[::9]
PARAMETERS: Final = ("ordering", "order_by", "limit", "offset", "format", "fields", "id__in", "name__regex")
QUERIES: Final = sampled(
    [
        (each.template, name, text)
        for each in operations().values()
        if each.method == "GET"
        for name, text in product((*each.queries, *PARAMETERS), FEW)
    ],
    40,
)


@pytest.fixture(scope="module")
def bob(world: World) -> Caller:
    caller = world.cast.caller(world.cast.bob)
    caller.client.raise_request_exception = False
    caller.get("/api/users/@me/")
    return caller


def wrong_answer(response: Any) -> bool:
    is_refusal = 400 <= response.status_code < 500 and set(response.json()) == {"type", "code", "detail", "attr"}
    return not (200 <= response.status_code < 300 or is_refusal)


def test_no_query_parameter_breaks_the_server(world: World, bob: Caller):
    wrong = []
    for template, name, text in QUERIES:
        url = f"{world.at(template)}?{name}={quote(text)}"
        with taken_back():
            response = bob.client.get(url)
            if wrong_answer(response):
                wrong.append(f"{url}: {response.status_code}")
    assert wrong == []


PLACES: Final = [
    (template, method, name)
    for template, route in api_routes().items()
    for method in route.methods
    for name in ("organization_id", "project_id", "role_id", "id")
    if f"{{{name}}}" in template
]
#: A text with a slash is another address.
IDS: Final = sampled(product(PLACES, [text for text in TEXTS[::3] if not text.isdigit() and "/" not in text]), 90)


def test_no_text_is_an_id(world: World, bob: Caller):
    """It names nothing: the answer is 404, or 405 where it is not looked up."""
    before = state()
    wrong = []
    for (template, method, name), text in IDS:
        path = world.at(template, **{name: quote(text, safe="")})
        response = bob.request(method, path, world.body if method in ("POST", "PUT", "PATCH") else None)
        if response.status_code not in (404, 405):
            wrong.append(f"{method} {path}: {response.status_code}")
    assert wrong == []
    assert state() == before


#: Fields that take any text, by the address that changes them.
FIELDS: Final = {
    "/api/projects/{project_id}/annotations/{id}/": ["content"],
    "/api/projects/{project_id}/cohorts/{id}/": ["name", "description"],
    "/api/projects/{id}/": ["name", "product_description"],
    "/api/organizations/{organization_id}/roles/{id}/": ["name"],
}


@pytest.mark.parametrize("template", FIELDS)
def test_a_text_is_stored_and_shown_as_it_is(world: World, bob: Caller, template: str):
    wrong = {}
    for name, text in sampled(product(FIELDS[template], TEXTS), 10):
        with taken_back():
            path = world.at(template)
            response = bob.patch(path, {name: text})
            shown = bob.get(path).json()[name]
            if response.status_code != 400 and shown not in (text, text.strip()):
                wrong[name, text] = shown
            elif response.status_code == 400 and "json" in response.content.decode().lower():
                wrong[name, text] = response.content
    assert wrong == {}


def test_a_person_of_no_text_is_there_at_the_end(stage: Stage):
    """No table is gone, and nobody came or went."""
    assert Person.objects.filter(project_id=stage.project).count() == len(TEXTS) + 1
    assert DistinctId.objects.filter(project_id=stage.project).count() == len(TEXTS) + 1

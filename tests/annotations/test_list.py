import pytest
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from core6.accounts.models import User
from core6.analytics.models import Dashboard, Insight
from tests.conftest import Caller, Cast, invalid
from tests.support.urls import annotations_url as url


def note(cast: Cast, content: str, **fields: object) -> Annotation:
    values = {"organization": cast.acme, "project": cast.web, "content": content, "scope": "project"} | fields
    return Annotation.objects.create(**values)


def contents(response) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["content"] for row in response.json()["results"]]


def test_undated_ones_lead_then_the_latest_marked_then_the_newest(cast: Cast, alice: Caller):
    note(cast, "old", date_marker="2026-01-01T00:00:00Z")
    note(cast, "new", date_marker="2026-02-01T00:00:00Z")
    note(cast, "undated")
    note(cast, "tie", date_marker="2026-01-01T00:00:00Z")
    assert contents(alice.get(url(cast))) == ["undated", "new", "tie", "old"]


def test_deleted_ones_are_hidden(cast: Cast, alice: Caller):
    note(cast, "gone", deleted=True)
    assert alice.get(url(cast)).json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_those_of_organization_scope_show_in_every_project_of_it_and_nowhere_else(cast: Cast, alice: Caller):
    note(cast, "shared", scope="organization", project=cast.app)
    note(cast, "of the other project", project=cast.app)
    assert contents(alice.get(url(cast))) == ["shared"]
    dave = cast.caller(cast.dave)
    assert contents(dave.get(f"/api/projects/{cast.globex_web.pk}/annotations/")) == []


def test_a_page_holds_a_thousand(cast: Cast, alice: Caller):
    Annotation.objects.bulk_create(
        Annotation(organization=cast.acme, project=cast.web, content=str(i)) for i in range(1001)
    )
    first = alice.get(url(cast)).json()
    assert (first["count"], len(first["results"])) == (1001, 1000)
    assert first["next"] == f"http://testserver{url(cast)}?limit=1000&offset=1000"
    second = alice.client.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (1, None)
    lowered = alice.get(url(cast), limit=100000).json()
    assert (len(lowered["results"]), lowered["next"]) == (1000, first["next"])


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Blue release of May", "red Release", "100% done_"]),
        ("RELEASE", ["Blue release of May", "red Release"]),
        ("release blue", ["Blue release of May"]),
        ("release,red", ["red Release"]),
        ('"release of"', ["Blue release of May"]),
        ('"of release"', []),
        ("%", ["100% done_"]),
        ("_", ["100% done_"]),
        ("nothing", []),
    ],
)
def test_search(cast: Cast, alice: Caller, search: str, found: list[str]):
    for content in ("100% done_", "red Release", "Blue release of May"):
        note(cast, content)
    note(cast, "release elsewhere", project=cast.app)
    assert contents(alice.get(url(cast), search=search)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"scope": "project"}, ["p"]),
        ({"scope": "dashboard_item"}, ["i"]),
        ({"scope": "insight"}, ["i"]),
        ({"scope": "recording"}, []),
        ({"scope": ""}, ["i", "p"]),
        ({"date_from": "2026-01-02"}, ["i"]),
        ({"date_from": "2026-01-02T00:00:00Z"}, ["i"]),
        ({"date_from": "2026-01-02T00:00:00.000001Z"}, []),
        ({"date_from": "2026-01-02T01:00:00+01:00"}, ["i"]),
        ({"date_to": "2026-01-01"}, ["p"]),
        ({"date_from": "2026-01-01", "date_to": "2026-01-01T00:00:00Z"}, ["p"]),
        ({"date_from": "2026-01-01", "date_to": "2026-01-02", "scope": "project"}, ["p"]),
        ({"ordering": "id", "deleted": "true", "before": "2000-01-01", "unknown": "1"}, ["i", "p"]),
    ],
)
def test_a_filter_lists_only_what_it_finds(cast: Cast, alice: Caller, query: dict, found: list[str]):
    note(cast, "p", date_marker="2026-01-01T00:00:00Z")
    note(cast, "i", date_marker="2026-01-02T00:00:00Z", scope="dashboard_item")
    assert contents(alice.get(url(cast), **query)) == found


def test_undated_ones_are_left_out_by_a_date(cast: Cast, alice: Caller):
    note(cast, "undated")
    assert contents(alice.get(url(cast), date_to="2100-01-01")) == []


RANGE = "Invalid date range: "


@pytest.mark.parametrize(
    ("query", "code", "detail", "attr"),
    [
        ({"scope": "nope"}, "invalid_input", "Invalid scope: nope", None),
        ({"date_from": "nope"}, "invalid_input", f"{RANGE}date_from must be a valid ISO 8601 date", None),
        ({"date_to": "2026-13-01"}, "invalid_input", f"{RANGE}date_to must be a valid ISO 8601 date", None),
        (
            {"date_to": "0001-01-01T00:00:00+23:00"},
            "invalid_input",
            f"{RANGE}date_to must be a valid ISO 8601 date",
            None,
        ),
        (
            {"date_from": "2026-02-01", "date_to": "2026-01-01T00:00:00Z"},
            "invalid_input",
            f"{RANGE}date_from must be before date_to",
            None,
        ),
        ({"search": "a\0"}, "null_characters_not_allowed", "Null characters are not allowed.", None),
        ({"search": "a" * 201}, "invalid_input", "Ensure this value has at most 200 characters.", "search"),
    ],
)
def test_refused_parameters(cast: Cast, alice: Caller, query: dict, code: str, detail: str, attr: str | None):
    response = alice.get(url(cast), **query)
    assert (response.status_code, response.json()) == (400, invalid(code, detail, attr))


def test_filters_hold_on_the_detail_url_too(cast: Cast, alice: Caller):
    detail = f"{url(cast)}{note(cast, 'p').pk}/"
    assert alice.get(detail, scope="project").status_code == 200
    assert alice.get(detail, scope="dashboard").status_code == 404
    assert alice.get(detail, scope="nope").status_code == 400
    assert alice.get(detail, search="q").status_code == 404


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_list_takes_two_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(url(cast))  # the first use of a key notes it
    for i in range(rows):
        note(
            cast,
            str(i),
            dashboard=Dashboard.objects.create(project=cast.web),
            dashboard_item=Insight.objects.create(project=cast.web),
            created_by=User.objects.create(email=f"{i}@example.com"),
        )
    with queries:
        assert len(contents(alice.get(url(cast)))) == rows
    assert len(queries) == 2  # the key with its user, project and level; the page with its count


def test_a_retrieve_takes_two_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    detail = f"{url(cast)}{note(cast, 'x').pk}/"
    alice.get(detail)
    note(cast, "y")  # what is kept is of another state now
    with queries:
        assert alice.get(detail).status_code == 200
    assert len(queries) == 2  # the key with its user, project and level; the row

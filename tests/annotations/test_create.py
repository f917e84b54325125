import pytest

from core6.analytics.models import Dashboard, Insight
from tests.conftest import Caller, Cast, invalid
from tests.support.urls import annotations_url as url


def test_every_field_has_its_default(cast: Cast, alice: Caller):
    response = alice.post(url(cast), {})
    assert response.status_code == 201
    body = response.json()
    assert " ".join(body) == (
        "id content date_marker creation_type dashboard_item dashboard_id dashboard_name insight_short_id"
        " insight_name insight_derived_name created_by created_at updated_at deleted scope"
    )
    assert body.pop("created_at").endswith("Z")
    assert body.pop("updated_at").endswith("Z")
    assert body == {
        "id": body["id"],
        "content": None,
        "date_marker": None,
        "creation_type": "USR",
        "dashboard_item": None,
        "dashboard_id": None,
        "dashboard_name": None,
        "insight_short_id": None,
        "insight_name": None,
        "insight_derived_name": None,
        "created_by": {
            "id": cast.alice.pk,
            "uuid": str(cast.alice.uuid),
            "distinct_id": cast.alice.distinct_id,
            "first_name": "Alice",
            "last_name": "",
            "email": "alice@example.com",
            "is_email_verified": None,
            "hedgehog_config": None,
            "role_at_organization": None,
        },
        "deleted": False,
        "scope": "dashboard_item",
    }


def test_every_writable_field_is_kept(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web, name="Launch")
    insight = Insight.objects.create(project=cast.web, short_id="abc", name="Signups", derived_name="Count")
    sent = {
        "content": "Released",
        "date_marker": "2026-03-01T10:00:00Z",
        "creation_type": "GIT",
        "dashboard_item": insight.pk,
        "dashboard_id": dashboard.pk,
        "deleted": False,
        "scope": "dashboard",
    }
    created = alice.post(url(cast), sent).json()
    assert {**created, **sent} == created
    assert created["dashboard_name"] == "Launch"
    assert (created["insight_short_id"], created["insight_name"]) == ("abc", "Signups")
    assert created["insight_derived_name"] == "Count"
    assert alice.get(f"{url(cast)}{created['id']}/").json() == created


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"content": "  trimmed "}, {"content": "trimmed"}),
        ({"content": ""}, {"content": ""}),
        ({"content": 5}, {"content": "5"}),
        ({"content": "x" * 8192}, {"content": "x" * 8192}),
        ({"content": "<img onerror=1> 🦔"}, {"content": "<img onerror=1> 🦔"}),
        ({"date_marker": "2020-01-01"}, {"date_marker": "2020-01-01T00:00:00Z"}),
        ({"date_marker": "2020-01-01T10:00:00"}, {"date_marker": "2020-01-01T10:00:00Z"}),
        ({"date_marker": "2020-01-01T10:00:00+05:30"}, {"date_marker": "2020-01-01T04:30:00Z"}),
        ({"date_marker": "2020-01-01T10:00:00.123456Z"}, {"date_marker": "2020-01-01T10:00:00.123456Z"}),
        ({"date_marker": "2020-01-01T10:00:00.000Z"}, {"date_marker": "2020-01-01T10:00:00Z"}),
        ({"date_marker": None}, {"date_marker": None}),
        ({"dashboard_id": None, "dashboard_item": None}, {"dashboard_id": None, "dashboard_item": None}),
        ({"deleted": "true"}, {"deleted": True}),
        ({"deleted": "1"}, {"deleted": True}),
        ({"deleted": 1}, {"deleted": True}),
        ({"deleted": "yes"}, {"deleted": True}),
        ({"deleted": True}, {"deleted": True}),
        ({"scope": "dashboard"}, {"scope": "dashboard"}),
        ({"scope": "project"}, {"scope": "project"}),
        ({"scope": "organization"}, {"scope": "organization"}),
        ({"id": 7, "team": 9, "created_at": "2001-01-01", "nonsense": 1}, {"content": None}),
    ],
)
def test_a_member_creates_an_annotation_with_the_values_sent(cast: Cast, alice: Caller, sent: dict, stored: dict):
    response = alice.post(url(cast), sent)
    assert response.status_code == 201
    assert {name: response.json()[name] for name in stored} == stored
    assert not response.json()["created_at"].startswith("2001")


DATE = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
NULL = "This field may not be null."


@pytest.mark.parametrize(
    ("sent", "code", "detail", "attr"),
    [
        ({"content": "x" * 8193}, "max_length", "Ensure this field has no more than 8192 characters.", "content"),
        ({"content": []}, "invalid_input", "Not a valid string.", "content"),
        ({"content": {}}, "invalid_input", "Not a valid string.", "content"),
        ({"content": True}, "invalid_input", "Not a valid string.", "content"),
        ({"content": "a\0b"}, "null_characters_not_allowed", "Null characters are not allowed.", "content"),
        ({"date_marker": "nope"}, "invalid_input", DATE, "date_marker"),
        ({"date_marker": 5}, "invalid_input", DATE, "date_marker"),
        ({"date_marker": ""}, "invalid_input", DATE, "date_marker"),
        ({"creation_type": "XXX"}, "invalid_choice", '"XXX" is not a valid choice.', "creation_type"),
        ({"creation_type": None}, "null", NULL, "creation_type"),
        (
            {"dashboard_item": 999999},
            "does_not_exist",
            'Invalid pk "999999" - object does not exist.',
            "dashboard_item",
        ),
        (
            {"dashboard_item": "abc"},
            "incorrect_type",
            "Incorrect type. Expected pk value, received str.",
            "dashboard_item",
        ),
        (
            {"dashboard_item": True},
            "incorrect_type",
            "Incorrect type. Expected pk value, received bool.",
            "dashboard_item",
        ),
        (
            {"dashboard_item": {}},
            "incorrect_type",
            "Incorrect type. Expected pk value, received dict.",
            "dashboard_item",
        ),
        ({"dashboard_id": 999999}, "invalid_input", "Dashboard not found.", "dashboard_id"),
        ({"dashboard_id": 10**30}, "invalid_input", "Dashboard not found.", "dashboard_id"),
        ({"dashboard_id": "abc"}, "invalid_input", "A valid integer is required.", "dashboard_id"),
        ({"dashboard_id": 1.5}, "invalid_input", "A valid integer is required.", "dashboard_id"),
        ({"deleted": "maybe"}, "invalid_input", "Must be a valid boolean.", "deleted"),
        ({"deleted": None}, "null", NULL, "deleted"),
        ({"scope": "insight"}, "invalid_choice", '"insight" is not a valid choice.', "scope"),
        ({"scope": "foo"}, "invalid_choice", '"foo" is not a valid choice.', "scope"),
        ({"scope": ""}, "invalid_choice", '"" is not a valid choice.', "scope"),
        ({"scope": None}, "null", NULL, "scope"),
        ({"scope": "recording"}, "invalid_input", "Recording scope is deprecated", None),
        # The error answered is the first in the order of the fields, not the first of the body.
        (
            {"scope": "foo", "date_marker": "nope", "content": "x" * 8193},
            "max_length",
            "Ensure this field has no more than 8192 characters.",
            "content",
        ),
        ([], "invalid_input", "Invalid data. Expected a dictionary, but got list.", None),
        ("5", "invalid_input", "Invalid data. Expected a dictionary, but got int.", None),
        ('"text"', "invalid_input", "Invalid data. Expected a dictionary, but got str.", None),
        ("null", "null", "No data provided", None),
    ],
)
def test_refused_values_leave_no_trace(cast: Cast, alice: Caller, sent: object, code: str, detail: str, attr: str):
    response = alice.post(url(cast), sent)
    assert (response.status_code, response.json()) == (400, invalid(code, detail, attr))
    assert alice.get(url(cast)).json()["count"] == 0


def test_dashboards_and_insights_of_elsewhere_do_not_exist(cast: Cast, alice: Caller):
    for project in (cast.app, cast.globex_web):
        dashboard = Dashboard.objects.create(project=project)
        insight = Insight.objects.create(project=project)
        refusal = alice.post(url(cast), {"dashboard_id": dashboard.pk}).json()
        assert refusal == invalid("invalid_input", "Dashboard not found.", "dashboard_id")
        refusal = alice.post(url(cast), {"dashboard_item": insight.pk}).json()
        assert refusal["code"] == "does_not_exist"


def test_deleted_dashboards_and_insights_do_not_exist(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web, deleted=True)
    insight = Insight.objects.create(project=cast.web, deleted=True)
    assert alice.post(url(cast), {"dashboard_id": dashboard.pk}).status_code == 400
    assert alice.post(url(cast), {"dashboard_item": insight.pk}).status_code == 400


def test_a_form_leaves_absent_fields_alone(cast: Cast, alice: Caller):
    form = "application/x-www-form-urlencoded"
    created = alice.post(url(cast), "content=a+b&date_marker=", content_type=form).json()
    assert (created["content"], created["date_marker"], created["deleted"]) == ("a b", None, False)
    detail = f"{url(cast)}{created['id']}/"
    assert alice.patch(detail, {"deleted": True}).json()["deleted"] is True
    # An absent boolean of a form would be false in plain REST framework, and so restore the row.
    assert alice.patch(detail, "content=c", content_type=form).json()["deleted"] is True


def test_multipart_is_read(cast: Cast, alice: Caller):
    response = alice.client.post(url(cast), {"content": "from a form", "scope": "project"})
    assert response.status_code == 201
    assert (response.json()["content"], response.json()["scope"]) == ("from a form", "project")


def test_the_pages_curl_line_is_a_form_under_a_json_content_type(cast: Cast, alice: Caller):
    response = alice.post(url(cast), "content=string")
    assert (response.status_code, response.json()["content"]) == (201, "string")

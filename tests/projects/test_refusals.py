import pytest

from core6.analytics.models import Dashboard
from tests.conftest import Caller, Cast, invalid, refused
from tests.support.stored import ERRORS, everything, shown, store
from tests.support.urls import projects_url as url

NO_ERROR_LIST = f"Must provide a list for field: {ERRORS}."
NO_ERROR_TEXTS = f"Must provide a list of strings to field: {ERRORS}."
LONG_ERRORS = (
    f"Field {ERRORS} must be less than 300 characters. Complex config should be provided in posthog-js initialization."
)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("TypeError", NO_ERROR_LIST),
        ({}, NO_ERROR_LIST),
        (5, NO_ERROR_LIST),
        (None, NO_ERROR_LIST),
        ([1], NO_ERROR_TEXTS),
        ([None], NO_ERROR_TEXTS),
        (["a", ["b"]], NO_ERROR_TEXTS),
        (["x" * 297], LONG_ERRORS),
    ],
)
def test_refused_errors_to_ignore_name_no_field(cast: Cast, alice: Caller, value: object, detail: str):
    store(cast.web, autocapture_exceptions_errors_to_ignore=["kept"])
    before = everything()
    response = alice.patch(url(cast, cast.web), {"timezone": "Europe/Berlin", ERRORS: value})
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", detail))
    assert everything() == before


@pytest.mark.parametrize(
    ("value", "code", "detail"),
    [
        ("{elsewhere}", "invalid_input", "Dashboard does not belong to this team."),
        ("{foreign}", "does_not_exist", 'Invalid pk "{foreign}" - object does not exist.'),
        ("{deleted}", "does_not_exist", 'Invalid pk "{deleted}" - object does not exist.'),
        (999999, "does_not_exist", 'Invalid pk "999999" - object does not exist.'),
        (-1, "does_not_exist", 'Invalid pk "-1" - object does not exist.'),
        (10**30, "does_not_exist", f'Invalid pk "{10**30}" - object does not exist.'),
        ("main", "incorrect_type", "Incorrect type. Expected pk value, received str."),
        (True, "incorrect_type", "Incorrect type. Expected pk value, received bool."),
        ({}, "incorrect_type", "Incorrect type. Expected pk value, received dict."),
    ],
)
def test_a_primary_dashboard_is_a_live_one_of_the_project(
    cast: Cast, alice: Caller, value: object, code: str, detail: str
):
    ids = {
        "elsewhere": Dashboard.objects.create(project=cast.app).pk,
        "foreign": Dashboard.objects.create(project=cast.globex_web).pk,
        "deleted": Dashboard.objects.create(project=cast.web, deleted=True).pk,
    }
    before = everything()
    sent = int(value.format(**ids)) if isinstance(value, str) and value.startswith("{") else value
    response = alice.patch(url(cast, cast.web), {"primary_dashboard": sent})
    refusal = invalid(code, detail.format(**ids), "primary_dashboard")
    assert (response.status_code, response.json()) == (400, refusal)
    assert everything() == before


def test_a_fraction_names_no_dashboard(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web)
    response = alice.patch(url(cast, cast.web), {"primary_dashboard": dashboard.pk + 0.5})
    refusal = invalid("incorrect_type", "Incorrect type. Expected pk value, received float.", "primary_dashboard")
    assert (response.status_code, response.json()) == (400, refusal)


@pytest.mark.parametrize("value", [True, None])
def test_a_member_cannot_change_who_gets_the_organizations_activity(cast: Cast, value: object):
    before = everything()
    body = {"timezone": "Europe/Berlin", "receive_org_level_activity_logs": value}
    response = cast.caller(cast.carol).patch(url(cast, cast.web), body)
    detail = "Only organization owners and admins can modify the receive_org_level_activity_logs setting."
    assert (response.status_code, response.json()) == (403, refused(detail))
    assert everything() == before


def test_an_administrator_changes_who_gets_the_organizations_activity(cast: Cast):
    response = cast.caller(cast.bob).patch(url(cast, cast.web), {"receive_org_level_activity_logs": True})
    assert (response.status_code, response.json()["receive_org_level_activity_logs"]) == (200, True)


def test_the_first_error_in_the_order_of_the_page_is_answered(cast: Cast, alice: Caller):
    before = everything()
    body = {"business_model": "b2g", ERRORS: 5, "timezone": "Mars/Phobos", "app_urls": 5, "name": "New"}
    response = alice.patch(url(cast, cast.web), body)
    assert response.json() == invalid("not_a_list", 'Expected a list of items but got type "int".', "app_urls")
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        ("[]", "invalid_input", "Invalid data. Expected a dictionary, but got list."),
        ("5", "invalid_input", "Invalid data. Expected a dictionary, but got int."),
        ('"text"', "invalid_input", "Invalid data. Expected a dictionary, but got str."),
        ("null", "null", "No data provided"),
    ],
)
def test_a_body_is_an_object(cast: Cast, alice: Caller, body: str, code: str, detail: str):
    before = everything()
    for response in (alice.patch(url(cast, cast.web), body), alice.post(url(cast), body)):
        assert (response.status_code, response.json()) == (400, invalid(code, detail))
    assert everything() == before


@pytest.mark.parametrize("body", ["", "{}"])
def test_no_body_changes_nothing(cast: Cast, alice: Caller, body: str):
    read, before = shown(alice.get(url(cast, cast.web))), everything()
    for response in (alice.patch(url(cast, cast.web), body), alice.put(url(cast, cast.web), body)):
        assert (response.status_code, shown(response)) == (200, read)
    assert everything() == before

import pytest

from tests.conftest import Caller, Cast, invalid
from tests.support.stored import DURATION, FLAGS, NULLABLE_FLAGS, RATE, everything
from tests.support.urls import projects_url as url

NULL = "This field may not be null."
BLANK = "This field may not be blank."
NO_TEXT = "Not a valid string."
NO_BOOLEANS: list[object] = ["maybe", "", []]
NO_BOOLEAN = "Must be a valid boolean."
NO_NUMBER = "A valid number is required."
NO_INTEGER = "A valid integer is required."
NO_LIST = 'Expected a list of items but got type "str".'


def longer_than(limit: int) -> str:
    return f"Ensure this field has no more than {limit} characters."


def no_choice(value: object) -> str:
    return f'"{value}" is not a valid choice.'


@pytest.mark.parametrize(
    ("attr", "value", "code", "detail"),
    [
        ("name", "", "blank", BLANK),
        ("name", "   ", "blank", BLANK),
        ("name", None, "null", NULL),
        ("name", "x" * 201, "max_length", longer_than(200)),
        ("name", [], "invalid_input", NO_TEXT),
        ("name", True, "invalid_input", NO_TEXT),
        ("product_description", "x" * 1001, "max_length", longer_than(1000)),
        ("product_description", {}, "invalid_input", NO_TEXT),
        ("app_urls", None, "null", NULL),
        ("app_urls", "https://example.com", "not_a_list", NO_LIST),
        ("app_urls", {}, "not_a_list", 'Expected a list of items but got type "dict".'),
        ("app_urls__0", ["x" * 201], "max_length", longer_than(200)),
        ("app_urls__2", ["a", None, "x" * 201], "max_length", longer_than(200)),
        ("app_urls__1", ["a", {}], "invalid_input", NO_TEXT),
        ("slack_incoming_webhook", "https://example.com/" + "x" * 481, "max_length", longer_than(500)),
        ("slack_incoming_webhook", [], "invalid_input", NO_TEXT),
        ("test_account_filters", None, "null", NULL),
        ("data_attributes", None, "null", NULL),
        ("timezone", "Mars/Phobos", "invalid_choice", no_choice("Mars/Phobos")),
        ("timezone", "europe/berlin", "invalid_choice", no_choice("europe/berlin")),
        ("timezone", "", "invalid_choice", no_choice("")),
        ("timezone", None, "null", NULL),
        ("timezone", [], "invalid_choice", no_choice("[]")),
        ("person_display_name_properties", "email", "not_a_list", NO_LIST),
        ("person_display_name_properties__0", ["x" * 401], "max_length", longer_than(400)),
        ("person_display_name_properties__0", [None], "null", NULL),
        ("live_events_columns", "event", "not_a_list", NO_LIST),
        ("live_events_columns__1", ["event", []], "invalid_input", NO_TEXT),
        ("recording_domains", "https://example.com", "not_a_list", NO_LIST),
        ("recording_domains__0", ["x" * 201], "max_length", longer_than(200)),
        (RATE, "much", "invalid_input", NO_NUMBER),
        (RATE, True, "invalid_input", NO_NUMBER),
        (RATE, [], "invalid_input", NO_NUMBER),
        (RATE, "NaN", "invalid_input", NO_NUMBER),
        (RATE, "Infinity", "invalid_input", NO_NUMBER),
        (RATE, "-1", "min_value", "Ensure this value is greater than or equal to 0."),
        (RATE, -0.01, "min_value", "Ensure this value is greater than or equal to 0."),
        (RATE, "1.5", "max_value", "Ensure this value is less than or equal to 1."),
        (RATE, 1.01, "max_value", "Ensure this value is less than or equal to 1."),
        (RATE, "0.534", "max_decimal_places", "Ensure that there are no more than 2 decimal places."),
        (DURATION, "long", "invalid_input", NO_INTEGER),
        (DURATION, "0.5", "invalid_input", NO_INTEGER),
        (DURATION, 0.5, "invalid_input", NO_INTEGER),
        (DURATION, True, "invalid_input", NO_INTEGER),
        (DURATION, "-1", "min_value", "Ensure this value is greater than or equal to 0."),
        (DURATION, "30001", "max_value", "Ensure this value is less than or equal to 30000."),
        (DURATION, 10**40, "max_value", "Ensure this value is less than or equal to 30000."),
        ("week_start_day", 2, "invalid_choice", no_choice(2)),
        ("week_start_day", -1, "invalid_choice", no_choice(-1)),
        ("week_start_day", True, "invalid_choice", no_choice(True)),
        ("week_start_day", "Monday", "invalid_choice", no_choice("Monday")),
        ("business_model", "b2g", "invalid_choice", no_choice("b2g")),
        ("business_model", "B2B", "invalid_choice", no_choice("B2B")),
        ("business_model", 5, "invalid_choice", no_choice(5)),
        *[(name, value, "invalid_input", NO_BOOLEAN) for name in NULLABLE_FLAGS for value in ("maybe", 2)],
        *[(name, value, "invalid_input", NO_BOOLEAN) for name in FLAGS for value in NO_BOOLEANS],
        *[(name, None, "null", NULL) for name in FLAGS],
        (
            "access_control",
            True,
            "invalid_input",
            "The access_control field has been deprecated, see https://posthog.com/docs/settings/access-control.",
        ),
    ],
)
def test_refused_values_leave_no_trace(cast: Cast, alice: Caller, attr: str, value: object, code: str, detail: str):
    before = everything()
    body = {"product_description": "Not to be kept", attr.partition("__")[0]: value}
    for response in (
        alice.patch(url(cast, cast.web), body),
        alice.put(url(cast, cast.web), body),
        alice.post(url(cast), body),
    ):
        assert (response.status_code, response.json()) == (400, invalid(code, detail, attr))
    assert everything() == before

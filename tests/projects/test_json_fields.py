import pytest

from tests.conftest import Caller, Cast, error, invalid
from tests.support.stored import FORM, everything, shown
from tests.support.urls import projects_url as url

NO_JSON = "Value must be valid JSON."
NUL = "Null characters are not allowed."


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "value", ["a\0b", "\0", "\\\0", {"a\0b": 1}, {"a": [{"b": "\0"}]}, ["\0"], "\\\\\0", "\u0001\0"]
)
@pytest.mark.parametrize("field", ["extra_settings", "test_account_filters"])
def test_null_characters_are_refused_at_every_place(cast: Cast, alice: Caller, field: str, value: object):
    before = everything()
    for response in (alice.patch(url(cast, cast.web), {field: value}), alice.post(url(cast), {field: value})):
        assert (response.status_code, response.json()) == (400, invalid("null_characters_not_allowed", NUL, field))
    assert everything() == before


@pytest.mark.parametrize(
    ("attr", "value"),
    [
        ("name", "a\0b"),
        ("product_description", "\0"),
        ("slack_incoming_webhook", "https://example.com/\0"),
        ("app_urls__0", ["a\0"]),
        ("live_events_columns__0", ["a\0"]),
        ("survey_config", {"a": "\0"}),
        ("modifiers", {"\0": 1}),
    ],
)
def test_null_characters_are_refused_in_every_kind_of_field(cast: Cast, alice: Caller, attr: str, value: object):
    before = everything()
    response = alice.patch(url(cast, cast.web), {attr.partition("__")[0]: value})
    assert (response.status_code, response.json()) == (400, invalid("null_characters_not_allowed", NUL, attr))
    assert everything() == before


@pytest.mark.parametrize(
    "value",
    [
        "a\\u0000b",
        {"\\u0000": "\\\\u0000"},
        "\u0001\u001f\u007f",
        "\u2028 🦔 \u202e",
        10**30,
        -(2**63),
        1.5e15,
        {"": {"": None}},
    ],
)
def test_unusual_json_is_kept_as_it_is(cast: Cast, alice: Caller, value: object):
    response = alice.patch(url(cast, cast.web), {"extra_settings": value})
    assert (response.status_code, response.json()["extra_settings"]) == (200, value)
    assert alice.get(url(cast, cast.web)).json()["extra_settings"] == value


def test_a_deep_value_is_kept_and_can_be_sent_back(cast: Cast, alice: Caller):
    # With the object of the body around it, as deep as bodies may be.
    response = alice.patch(url(cast, cast.web), f'{{"extra_settings": {nested(63)}}}')
    assert response.status_code == 200
    assert alice.put(url(cast, cast.web), alice.get(url(cast, cast.web)).json()).status_code == 200


@pytest.mark.parametrize("depth", [65, 5000, 199_999])
def test_a_deeper_body_is_refused(cast: Cast, alice: Caller, depth: int):
    before = everything()
    response = alice.patch(url(cast, cast.web), f'{{"extra_settings": {nested(depth)}}}')
    detail = "JSON parse error - nested more than 64 deep"
    assert (response.status_code, response.json()) == (400, error("invalid_request", "parse_error", detail))
    assert everything() == before


@pytest.mark.parametrize("depth", [65, 300, 900, 5000, 199_999])
def test_a_form_brings_in_nothing_deeper_than_a_json_body_does(cast: Cast, alice: Caller, depth: int):
    before = everything()
    response = alice.patch(url(cast, cast.web), f"extra_settings={nested(depth)}", content_type=FORM)
    # Kept, it could never be sent back.
    assert response.status_code == 400
    assert everything() == before


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": 1e400}', "-1e400"])
@pytest.mark.parametrize("field", ["extra_settings", "survey_config", "modifiers"])
def test_no_number_that_json_does_not_know_comes_in_by_a_form(cast: Cast, alice: Caller, field: str, text: str):
    before = everything()
    response = alice.patch(url(cast, cast.web), f"{field}={text}", content_type=FORM)
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", NO_JSON, field))
    assert everything() == before


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_no_number_that_json_does_not_know_comes_in_by_json(cast: Cast, alice: Caller, text: str):
    before = everything()
    response = alice.patch(url(cast, cast.web), f'{{"extra_settings": [{text}]}}')
    assert (response.status_code, response.json()["code"]) == (400, "parse_error")
    assert everything() == before


@pytest.mark.parametrize("text", ["nope", "{'a': 1}", "{", "", "[1,]", "9" * 5000])
def test_text_that_is_no_json_is_refused_in_a_json_field_of_a_form(cast: Cast, alice: Caller, text: str):
    before = everything()
    response = alice.patch(url(cast, cast.web), f"extra_settings={text}", content_type=FORM)
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", NO_JSON, "extra_settings"))
    assert everything() == before


def test_null_characters_are_refused_in_a_form_too(cast: Cast, alice: Caller):
    before = everything()
    response = alice.patch(url(cast, cast.web), 'extra_settings={"a": "\\u0000"}', content_type=FORM)
    refusal = invalid("null_characters_not_allowed", NUL, "extra_settings")
    assert (response.status_code, response.json()) == (400, refusal)
    assert everything() == before


def test_a_lone_surrogate_is_refused_in_a_form_too(cast: Cast, alice: Caller):
    before = everything()
    response = alice.patch(url(cast, cast.web), 'extra_settings=["\\ud800"]', content_type=FORM)
    assert response.status_code == 400
    assert everything() == before


@pytest.mark.parametrize("field", ["test_account_filters", "data_attributes"])
def test_the_text_null_is_null_in_a_form(cast: Cast, alice: Caller, field: str):
    before = everything()
    response = alice.patch(url(cast, cast.web), f"{field}=null", content_type=FORM)
    assert (response.status_code, response.json()) == (400, invalid("null", "This field may not be null.", field))
    assert everything() == before


def test_a_value_is_the_same_whatever_the_order_of_its_keys(cast: Cast, alice: Caller):
    alice.patch(url(cast, cast.web), {"extra_settings": {"a": 1, "b": {"c": 2, "d": 3}}})
    read, before = shown(alice.get(url(cast, cast.web))), everything()
    response = alice.patch(url(cast, cast.web), '{"extra_settings": {"b": {"d": 3, "c": 2}, "a": 1}}')
    assert (response.status_code, shown(response)) == (200, read)
    assert everything() == before

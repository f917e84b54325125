import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test.utils import CaptureQueriesContext

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey
from tests.conftest import Caller, Cast, error
from tests.support.urls import annotations_url as url

NOT_PROVIDED = error("authentication_error", "not_authenticated", "Authentication credentials were not provided.")


def invalid_in(place: str) -> dict:
    return error(
        "authentication_error", "authentication_failed", f"Personal API key found in request {place} is invalid."
    )


@pytest.mark.parametrize("header", ["Bearer {}", "Bearer  {}  ", "Bearer\t{}"])
def test_the_header_may_hold_blanks(cast: Cast, nobody: Caller, header: str):
    authorization = header.format(cast.key(cast.alice))
    assert nobody.client.get(url(cast), headers={"Authorization": authorization}).status_code == 200


@pytest.mark.parametrize(
    "header", ["bearer {}", "BEARER {}", "Token {}", "Bearer", "Bearer ", "{}", "Basic {}", "Bearer x"]
)
def test_what_is_no_bearer_is_no_key(cast: Cast, nobody: Caller, header: str):
    authorization = header.format(cast.key(cast.alice))
    response = nobody.client.get(url(cast), headers={"Authorization": authorization})
    assert (response.status_code, response.json()) == (401, NOT_PROVIDED)
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["phx_unknown", "phc_project", "pha_oauth", "phx a b", "ключ", "x" * 5000])
def test_a_bad_key_in_the_header(cast: Cast, nobody: Caller, key: str):
    response = nobody.client.get(url(cast), headers={"Authorization": f"Bearer {key}".encode().decode("latin-1")})
    assert (response.status_code, response.json()) == (401, invalid_in("Authorization header"))
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "multipart"])
def test_a_key_in_the_body(cast: Cast, nobody: Caller, content_type: str):
    key = cast.key(cast.alice)
    for value, status in ((key, 201), ("phx_unknown", 401)):
        if content_type == "application/json":
            response = nobody.post(url(cast), {"personal_api_key": value})
        elif content_type == "multipart":
            response = nobody.client.post(url(cast), {"personal_api_key": value})
        else:
            response = nobody.post(url(cast), f"personal_api_key={value}", content_type=content_type)
        assert response.status_code == status
    assert response.json() == invalid_in("body")


@pytest.mark.parametrize("value", [None, "", 5, [], {}])
def test_no_key_in_the_body(cast: Cast, nobody: Caller, value: object):
    response = nobody.post(url(cast), {"personal_api_key": value})
    assert (response.status_code, response.json()) == (401, NOT_PROVIDED)


def test_a_key_in_the_query(cast: Cast, nobody: Caller):
    assert nobody.get(url(cast), personal_api_key=cast.key(cast.alice)).status_code == 200
    response = nobody.get(url(cast), personal_api_key="phx_unknown")
    assert (response.status_code, response.json()) == (401, invalid_in("query string"))


def test_the_first_place_decides(cast: Cast):
    good = cast.key(cast.alice)
    response = Caller("phx_unknown").client.get(url(cast), {"personal_api_key": good})
    assert response.json() == invalid_in("Authorization header")
    response = Caller(None).post(f"{url(cast)}?personal_api_key=phx_unknown", {"personal_api_key": good})
    assert response.json() == invalid_in("query string")


@pytest.mark.parametrize("name", ["token", "api_key"])
def test_project_tokens_in_the_query_are_ignored(cast: Cast, alice: Caller, nobody: Caller, name: str):
    assert alice.get(url(cast), **{name: cast.globex_web.api_token}).status_code == 200
    assert nobody.get(url(cast), **{name: cast.web.api_token}).json() == NOT_PROVIDED


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("x", "text/plain"),
        ("\x00", "multipart/form-data; boundary=x"),
        ("x", "multipart/form-data"),
        ("&".join(["a=1"] * 2000), "application/x-www-form-urlencoded"),
        ('{"personal_api_key": 1}', "application/json"),
        ("[" * 5000, "application/json"),
    ],
)
def test_a_body_that_cannot_be_read_names_no_key(cast: Cast, nobody: Caller, body: str, content_type: str):
    assert nobody.post(url(cast), body, content_type=content_type).json() == NOT_PROVIDED
    assert Caller("phx_unknown").post(url(cast), body, content_type=content_type).status_code == 401


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 201), (64 * 1024 + 1, 401)])
def test_a_key_is_looked_for_in_bodies_of_at_most_64_kb(cast: Cast, nobody: Caller, size: int, status: int):
    body = json.dumps({"personal_api_key": cast.key(cast.alice), "content": "x"})
    assert nobody.post(url(cast), body + " " * (size - len(body))).status_code == status


def test_a_key_needs_no_prefix(cast: Cast):
    PersonalAPIKey.objects.create(
        user=cast.alice, label="old", secure_value=keys.digest("test_key_12345"), mask_value="test...2345", scopes=["*"]
    )
    assert Caller("test_key_12345").get(url(cast)).status_code == 200


def test_only_the_digest_is_stored(cast: Cast):
    key = cast.key(cast.alice)
    row = PersonalAPIKey.objects.values().get()
    assert key not in str(row)
    assert row["secure_value"] == keys.digest(key)


def test_the_last_use_is_written_at_most_hourly(cast: Cast):
    caller = cast.caller(cast.alice)

    def used_at(time: datetime) -> datetime | None:
        with time_machine.travel(time, tick=False):
            assert caller.get(url(cast)).status_code == 200
        return PersonalAPIKey.objects.get().last_used_at

    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert used_at(start) == start
    assert used_at(start + timedelta(minutes=59)) == start
    later = start + timedelta(minutes=61)
    assert used_at(later) == later


def test_bad_keys_take_one_way(cast: Cast, queries: CaptureQueriesContext):
    """The answer, and the way to it, is the same for an unknown key, an expired one and one whose user may not call."""
    deleted, inactive, gone = (cast.key(user) for user in (cast.alice, cast.bob, cast.carol))
    for key in (deleted, inactive, gone):
        assert Caller(key).get(url(cast)).status_code == 200
    PersonalAPIKey.objects.filter(secure_value=keys.digest(deleted)).delete()
    cast.bob.is_active = False
    cast.bob.save()
    cast.carol.delete()
    ways: dict[str, list[tuple]] = {}
    for key in (keys.generate(), deleted, inactive, gone):
        for place in ("header", "body", "query"):
            # Statements hold the time.
            with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False), queries:
                if place == "header":
                    response = Caller(key).get(url(cast))
                elif place == "body":
                    response = Caller(None).post(url(cast), {"personal_api_key": key})
                else:
                    response = Caller(None).get(url(cast), personal_api_key=key)
            headers = {name: value for name, value in response.items() if name != "X-Request-Id"}
            texts = [query["sql"].replace(keys.digest(key), "…") for query in queries.captured_queries]
            ways.setdefault(place, []).append((response.status_code, response.content, headers, texts))
    assert {place: len(way[0][-1]) for place, way in ways.items()} == {"header": 1, "body": 1, "query": 1}
    for way in ways.values():
        assert way == way[:1] * 4
        assert way[0][0] == 401


def test_a_revoked_key_is_dead_on_the_next_request(cast: Cast, alice: Caller):
    assert alice.get(url(cast)).status_code == 200
    PersonalAPIKey.objects.all().delete()
    assert alice.get(url(cast)).status_code == 401

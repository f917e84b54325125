import pytest

from annotations.models import Annotation
from tests.conftest import Caller, Cast


@pytest.fixture
def seven(cast: Cast) -> str:
    for i in range(7):
        Annotation.objects.create(organization=cast.acme, project=cast.web, content=str(i))
    return f"/api/projects/{cast.web.pk}/annotations/"


@pytest.mark.parametrize(
    ("query", "rows", "following", "previous"),
    [
        ("", 7, None, None),
        ("?limit=2", 2, "?limit=2&offset=2", None),
        ("?limit=2&offset=2", 2, "?limit=2&offset=4", "?limit=2"),
        ("?limit=2&offset=1", 2, "?limit=2&offset=3", "?limit=2"),
        ("?limit=2&offset=6", 1, None, "?limit=2&offset=4"),
        ("?limit=2&offset=7", 0, None, "?limit=2&offset=5"),
        ("?limit=2&offset=100", 0, None, "?limit=2&offset=98"),
        ("?limit=2&offset=99999999999999999999", 0, None, "?limit=2&offset=99999999999999999997"),
        ("?offset=3", 4, None, "?limit=1000"),
        ("?limit=0&offset=1", 6, None, "?limit=1000"),
        ("?limit=-1&offset=1", 6, None, "?limit=1000"),
        ("?limit=abc&offset=1", 6, None, "?limit=1000"),
        ("?limit=&offset=1", 6, None, "?limit=1000"),
        ("?limit=1.5&offset=1", 6, None, "?limit=1000"),
        ("?limit=99999999999999999999&offset=1", 6, None, "?limit=1000"),
        ("?limit=2&offset=-5", 2, "?limit=2&offset=2", None),
        ("?limit=2&offset=abc", 2, "?limit=2&offset=2", None),
        ("?limit=2&foo=bar&a=1&a=2", 2, "?a=1&a=2&foo=bar&limit=2&offset=2", None),
        ("?limit=5&limit=2", 2, "?limit=2&offset=2", None),
    ],
)
def test_pages_and_their_links(
    seven: str, alice: Caller, query: str, rows: int, following: str | None, previous: str | None
):
    response = alice.client.get(f"{seven}{query}")
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["count", "next", "previous", "results"]
    assert (body["count"], len(body["results"])) == (7, rows)
    base = f"http://testserver{seven}"
    assert body["next"] == (following and base + following)
    assert body["previous"] == (previous and base + previous)


def test_the_links_reach_every_row_once(seven: str, alice: Caller):
    found, link = [], f"{seven}?limit=2"
    while link:
        page = alice.client.get(link).json()
        found += [row["content"] for row in page["results"]]
        link = page["next"]
    assert found == [str(i) for i in range(6, -1, -1)]


def test_links_never_hold_the_key(cast: Cast, seven: str, nobody: Caller):
    key = cast.key(cast.alice)
    body = nobody.get(seven, personal_api_key=key, limit=2, offset=2, search="").json()
    assert body["next"] == f"http://testserver{seven}?limit=2&offset=4&search="
    assert body["previous"] == f"http://testserver{seven}?limit=2&search="
    assert key not in str(body)


def test_links_of_activity_never_hold_the_key(cast: Cast, alice: Caller, nobody: Caller):
    at = f"/api/projects/{cast.web.pk}/annotations/"
    for i in range(3):
        alice.post(at, {"content": str(i), "scope": "project"})
    key = cast.key(cast.alice)
    body = nobody.get(f"{at}activity/", personal_api_key=key, limit=1, page=2, search="").json()
    assert body["next"] == f"http://testserver{at}activity/?limit=1&page=3&search="
    assert body["previous"] == f"http://testserver{at}activity/?limit=1&search="
    assert key not in str(body)


def test_links_hold_the_path_of_the_request(seven: str, alice: Caller):
    response = alice.client.get(f"{seven.removesuffix('/')}?limit=6")
    assert response.json()["next"] == f"http://testserver{seven.removesuffix('/')}?limit=6&offset=6"


def test_forwarded_hosts_count_only_behind_a_proxy(seven: str, alice: Caller, settings):
    forwarded = {"X-Forwarded-Host": "localhost:8443", "X-Forwarded-Proto": "https"}
    plain = alice.client.get(f"{seven}?limit=6", headers=forwarded).json()["next"]
    assert plain.startswith("http://testserver/")
    settings.USE_X_FORWARDED_HOST = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert alice.client.get(f"{seven}?limit=6", headers=forwarded).json()["next"].startswith("https://localhost:8443/")

import pytest
from django.db import connection
from django.test import Client

from core6.health import HealthMiddleware
from tests.conftest import Cast


@pytest.mark.parametrize("path", ["/_livez", "/_livez/", "/_readyz", "/_readyz/"])
@pytest.mark.django_db(transaction=True)
def test_a_healthy_server_says_so_to_any_host(path: str):
    response = Client(headers={"Host": "10.0.0.7:8000"}).get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_named(committed_cast: Cast):
    host = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = "/nonexistent"
    try:
        response = Client().get("/_readyz")
        assert Client().get("/_livez").status_code == 200
    finally:
        connection.settings_dict["HOST"] = host
    expected = {"status": "unavailable", "database": "did not answer within 1 s"}
    assert (response.status_code, response.json()) == (503, expected)


@pytest.mark.django_db(transaction=True)
def test_missing_migrations_are_named(monkeypatch: pytest.MonkeyPatch):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'annotations' RETURNING name, applied")
        rows = cursor.fetchall()
    try:
        response = Client().get("/_readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('annotations', %s, %s)", rows
            )
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "migrations": [f"annotations.{name}" for name, _ in rows]}


def test_other_paths_are_not_its_business():
    seen: list[object] = []
    middleware = HealthMiddleware(seen.append)  # type: ignore[arg-type]
    middleware(type("Request", (), {"path_info": "/api/_livez"})())
    assert len(seen) == 1

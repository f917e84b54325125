import asyncio
import json
from typing import Any

import pytest
from django.db import connection

from core6.observability.health import Health
from tests.conftest import Cast


def ask(health: Health, path: str) -> tuple[int, Any]:
    answer = asyncio.run(health.answer(path))
    assert answer is not None
    return answer.status_code, json.loads(answer.content)


@pytest.mark.parametrize("path", ["/_livez", "/_livez/", "/_readyz", "/_readyz/"])
@pytest.mark.django_db(transaction=True)
def test_a_healthy_server_says_so(path: str):
    assert ask(Health(), path) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_named(committed_cast: Cast):
    host = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = "/nonexistent"
    health = Health()
    try:
        expected = {"status": "unavailable", "database": "did not answer within 1 s"}
        assert ask(health, "/_readyz") == (503, expected)
        assert ask(health, "/_livez")[0] == 200
    finally:
        connection.settings_dict["HOST"] = host
    assert ask(health, "/_readyz")[0] == 200


@pytest.mark.django_db(transaction=True)
def test_missing_migrations_are_named():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'annotations' RETURNING name, applied")
        rows = cursor.fetchall()
    try:
        answer = ask(Health(), "/_readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('annotations', %s, %s)", rows
            )
    assert answer == (503, {"status": "unavailable", "migrations": [f"annotations.{name}" for name, _ in rows]})


def test_other_paths_are_not_its_business():
    assert asyncio.run(Health().answer("/_metrics")) is None
    assert asyncio.run(Health().answer("/api/_livez")) is None

"""Responses are counted in memory, and added to the minutes of the table."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core6.traffic.counter import Counter
from core6.traffic.models import Minute
from tests.support.places import ask, place
from tests.support.serving import LIGHT, serving, started_place, wait_until

_SUMS = "SELECT coalesce(sum(responses), 0)::int, coalesce(sum(refused), 0)::int FROM traffic_minute"


def rows() -> list[tuple[int, int, int]]:
    return list(Minute.objects.order_by("started_at").values_list("responses", "refused", "failed"))


def sums() -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*rows(), strict=True))


def test_two_processes_add_to_the_same_minutes(db: None):
    first, second = Counter(), Counter()
    for status in (200, 204, 304, 400, 404, 429, 500, 503):
        first.count(status)
    second.count(200)
    first.write()
    second.write()
    assert sums() == (9, 3, 2)
    assert first.is_empty
    assert all(row.started_at.second == 0 for row in Minute.objects.all())
    assert (timezone.now() - Minute.objects.latest("started_at").started_at).total_seconds() < 120


def test_what_the_database_does_not_take_is_written_later(db: None):
    counter = Counter()
    counter.count(200)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE traffic_minute RENAME TO away")
        counter.write()
        transaction.set_rollback(True)
    assert not counter.is_empty
    counter.count(404)
    counter.write()
    assert sums() == (2, 1, 0)


@pytest.mark.whole
def test_a_server_counts_the_calls_of_its_api():
    with place() as parent, serving(parent / "data", *LIGHT) as server:
        for _ in range(3):
            assert server.call("GET", server.annotations)[0] == 200
        assert server.call("GET", "/api/nothing/")[0] == 404
        wait_until(lambda: ask(parent / "data", _SUMS) == (4, 1), "count of four calls", seconds=30)


@pytest.mark.whole
def test_the_last_calls_before_a_stop_are_counted():
    with started_place() as directory:
        with serving(directory, *LIGHT) as server:
            assert server.call("GET", "/api/nothing/")[0] == 404
            before = ask(directory, _SUMS)
            assert server.stop() == 0
        with serving(directory, *LIGHT):
            assert ask(directory, _SUMS) == (before[0] + 1, before[1] + 1)

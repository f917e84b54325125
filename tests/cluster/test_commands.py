"""The commands and the doctor on the coordinator of a cluster."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cohorts import tasks
from cohorts.models import Cohort
from core6.cluster.plan import plan
from core6.database import locks
from core6.database.cluster import nodes
from core6.diagnosis import doctor
from core6.management.commands import reset, restore
from core6.management.database_command import prepare
from tests.cluster.test_distribute import execute, run
from tests.conftest import Cast
from tests.support import cluster
from tests.support.fake_citus import FAKE, add_nodes

pytestmark = pytest.mark.django_db
NOT_FOR_A_CLUSTER = (
    "this database is the coordinator of a cluster, and {} is not for a cluster: bring the people back to it and remove"
    " the workers first ('The way back' in core6/docs/scale.md), or use a database of its own"
)


@pytest.fixture
def coordinator(db: None, settings: Any) -> None:
    settings.IS_EMBEDDED = settings.IS_SECRET_KEY_GENERATED = False
    execute(*FAKE, *add_nodes("worker-1", "worker-2"))


@contextmanager
def somebody_moves_people() -> Iterator[psycopg.Connection[Any]]:
    """Hold the lock of `distribute` in another session, as one does whose client was killed."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"SELECT pg_advisory_lock({locks.MOVING.key})")
        yield other
        other.rollback()
        other.execute("SELECT pg_advisory_unlock_all()")


def test_tables_are_made_before_workers_are_added(coordinator: None):
    execute("DROP TABLE procrastinate_jobs CASCADE")
    for migrate in (lambda: call_command("migrate", verbosity=0), prepare):
        with pytest.raises(CommandError) as refused:
            migrate()
        assert str(refused.value) == (
            "the cluster has workers already, and the tables have to be made before they are added: run"
            " SELECT citus_remove_node('worker-1', 5432) for each, then `manage.py migrate`, and add them again"
        )


def test_a_cluster_that_has_its_tables_is_brought_up_to_date(coordinator: None):
    call_command("migrate", verbosity=0)


def test_a_coordinator_without_workers_gets_its_tables(db: None, settings: Any):
    settings.IS_EMBEDDED = False
    execute(*FAKE, *add_nodes(), "DROP TABLE procrastinate_jobs CASCADE")
    call_command("migrate", "--plan", verbosity=0)


@pytest.mark.parametrize(
    ("command", "arguments", "name"),
    [(restore, ["x", "--force"], "restore"), (reset, ["--yes"], "reset"), (reset, ["--save", "--yes"], "reset")],
)
def test_commands_for_one_database_refuse_a_cluster(coordinator: None, command: Any, arguments: list[str], name: str):
    made = command.Command()
    options = vars(made.create_parser("manage.py", name).parse_args(arguments))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core6.backup.dump.known_contents", lambda _: None)
        with pytest.raises(CommandError) as refused:
            made.run(options)
    assert str(refused.value) == NOT_FOR_A_CLUSTER.format(name)


def test_the_doctor_names_workers_that_do_not_answer(coordinator: None, cast: Cast):
    execute("UPDATE pg_dist_node SET nodename = 'dead-2' WHERE groupid = 2")
    (question,) = [each for each in doctor.QUESTIONS if each.name == "nodes"]
    assert [(each.state, each.message) for each in doctor.answer(question)] == [
        ("bad", "dead-2:5432 does not answer the coordinator"),
        ("ok", "worker-1:5432 answers"),
    ]


def test_distribute_waits_for_one_that_runs(coordinator: None):
    """Also for one whose client was killed: its statement runs on, and nobody else can begin meanwhile."""
    with somebody_moves_people() as other:
        timer = threading.Timer(0.5, lambda: other.execute("SELECT pg_advisory_unlock_all()"))
        timer.start()
        began = time.monotonic()
        assert run().startswith("5 of 5")
        assert time.monotonic() - began >= 0.4
        timer.join()


def test_distribute_waits_for_calculations(coordinator: None):
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"SELECT pg_advisory_xact_lock_shared({locks.MOVING.key})")
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        began = time.monotonic()
        assert run().startswith("5 of 5")
        assert time.monotonic() - began >= 0.4
        timer.join()


def test_a_pooler_is_refused(coordinator: None, settings: Any):
    settings.IS_BEHIND_POOLER = True
    with pytest.raises(CommandError, match="DATABASE_URL is of a pooler"):
        run()


def test_nothing_is_computed_while_people_are_moved(cast: Cast):
    filters = {"properties": {"type": "AND", "values": [{"type": "person", "key": "a", "value": "b"}]}}
    cohort = Cohort.objects.create(project=cast.web, filters=filters, is_calculating=True, pending_version=1)
    with somebody_moves_people():
        tasks.calculate_cohort(cohort_id=cohort.pk)
        cohort.refresh_from_db()
        assert (cohort.is_calculating, cohort.count, cohort.calculations.count()) == (True, None, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs WHERE args ->> 'cohort_id' = %s",
            [str(cohort.pk)],
        )
        ((seconds,),) = cursor.fetchall()
    assert 3 < seconds < 7


def test_a_test_database_is_distributed_and_removed_again(db: None):
    workers = [("worker-1", 5432), ("worker-2", 5433)]
    found = [(each.node, each.database, each.text) for each in cluster.preparation("test_a", ("co", 5432), workers)]
    drop = 'DROP DATABASE IF EXISTS "test_a" WITH (FORCE)'
    assert found == [
        *(
            statement
            for worker in workers
            for statement in (
                (worker, "postgres", drop),
                (worker, "postgres", 'CREATE DATABASE "test_a"'),
                (worker, "test_a", "CREATE EXTENSION citus"),
            )
        ),
        (None, "test_a", "CREATE EXTENSION citus"),
        (None, "test_a", "SELECT citus_set_coordinator_host('co', 5432)"),
        (None, "test_a", "SELECT citus_add_node('worker-1', 5432)"),
        (None, "test_a", "SELECT citus_add_node('worker-2', 5433)"),
        *((None, "test_a", table.statement) for table in plan()[:5]),
    ]
    assert [(each.node, each.text) for each in cluster.removal("test_a", workers)] == [(node, drop) for node in workers]


def test_a_server_that_is_no_cluster_is_left_as_it_is(db: None):
    assert nodes() == []

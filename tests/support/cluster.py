"""The test database of a Citus cluster, when DATABASE_URL names its coordinator: distributed, and removed again.

The role of DATABASE_URL must be a superuser on each machine, since it makes the extension there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from django.db import connection
from psycopg import sql

from core6.cluster import plan
from core6.database.cluster import nodes


class Statement(NamedTuple):
    """A statement, the machine that runs it (None: the coordinator), and the database there."""

    node: tuple[str, int] | None
    database: str
    text: str


def preparation(name: str, coordinator: tuple[str, int], workers: list[tuple[str, int]]) -> Iterator[Statement]:
    """Yield what makes a cluster of a test database that has its tables on the coordinator."""
    for worker in workers:
        yield from removal(name, [worker])
        yield Statement(worker, "postgres", f"CREATE DATABASE {_quoted(name)}")
        yield Statement(worker, name, "CREATE EXTENSION citus")
    yield Statement(None, name, "CREATE EXTENSION citus")
    yield Statement(None, name, f"SELECT citus_set_coordinator_host('{coordinator[0]}', {coordinator[1]})")
    for host, port in workers:
        yield Statement(None, name, f"SELECT citus_add_node('{host}', {port})")
    for table in plan.plan():
        if table.place != "coordinator":
            yield Statement(None, name, table.statement)


def removal(name: str, workers: list[tuple[str, int]]) -> Iterator[Statement]:
    """Yield what removes the database from the workers."""
    for worker in workers:
        yield Statement(worker, "postgres", f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


def run(statements: Iterator[Statement]) -> None:
    """Run each statement where it belongs."""
    given = {**connection.get_connection_params(), "autocommit": True}
    for ours in ("server_side_binding", "assume_role", "cursor_factory", "context", "options"):
        given.pop(ours, None)
    for node, database, text in statements:
        where: dict[str, Any] = {"dbname": database}
        if node:
            where |= {"host": node[0], "port": node[1]}
        with psycopg.connect(**{**given, **where}) as connected:
            connected.execute(text.encode())


def workers_of_the_server() -> list[tuple[str, int]]:
    """Return the workers of the cluster whose coordinator DATABASE_URL names; no workers for any other server."""
    try:
        return nodes()
    finally:
        connection.close()


@contextmanager
def distributed(workers: list[tuple[str, int]]) -> Iterator[None]:
    """Have the connected test database lie on the workers, if there are any, until the end of the block."""
    name, host = str(connection.settings_dict["NAME"]), str(connection.settings_dict["HOST"])
    if not workers:
        yield
        return
    run(preparation(name, (host, int(connection.settings_dict["PORT"] or 5432)), workers))
    connection.close()
    yield
    connection.close()
    run(removal(name, workers))


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)

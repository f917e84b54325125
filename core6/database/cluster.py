"""Detection of a Citus cluster, and of its workers."""

from functools import cache
from typing import Final

from django.db import connection

# By objects of the extension, if they are in the search path.
_IS_CITUS: Final = """
SELECT to_regclass('pg_dist_partition') IS NOT NULL AND EXISTS (
    SELECT FROM pg_proc WHERE proname = 'create_distributed_table' AND pg_function_is_visible(oid))"""

# The coordinator has group 0.
_NODES: Final = (
    "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND isactive ORDER BY nodename, nodeport"
)


def is_citus() -> bool:
    """Return whether the database has the Citus extension."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_CITUS)
        return bool(cursor.fetchone()[0])


def nodes() -> list[tuple[str, int]]:
    """Return the host and port of each worker of the cluster; none without the extension."""
    if not is_citus():
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NODES)
        return [(name, port) for name, port in cursor.fetchall()]


@cache
def is_cluster() -> bool:
    """Return whether the cluster has workers; cached, since the process is restarted for a new cluster."""
    return bool(nodes())

"""Django's PostgreSQL backend, with a check of connections that costs no query, and a count of statements."""

import select
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

_PLAN_WITH_VALUES = """
SELECT set_config('plan_cache_mode', 'auto', false) WHERE to_regclass('pg_dist_partition') IS NOT NULL"""


class DatabaseWrapper(base.DatabaseWrapper):
    """Considers a connection usable unless its socket is readable, as a closed connection makes it.

    If logs or metrics need them, `statements` and `statement_seconds` are the totals of the connection so far.
    The option `answer_timeout` is the seconds that a statement may take by the clock of this machine, since a frozen
    server does not enforce its own timeouts.
    """

    statements = 0
    statement_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.IS_SQL_COUNTED:
            self.execute_wrappers.append(self.count_statement)

    def count_statement(self, execute: Callable[..., Any], *given: Any) -> Any:
        """Run one statement and count it, even if it fails; this is an execute_wrapper of Django."""
        started = time.perf_counter()
        try:
            return execute(*given)
        finally:
            self.statements += 1
            self.statement_seconds += time.perf_counter() - started

    def init_connection_state(self) -> None:
        """With Citus, have statements planned with their values, from which it derives the node of the project.

        With a generic plan it fails: it cannot create a distributed plan.
        """
        super().init_connection_state()
        if "plan_cache_mode" in self.settings_dict["OPTIONS"].get("options", ""):
            self.connection.execute(_PLAN_WITH_VALUES)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        seconds = conn_params.pop("answer_timeout", None)
        made = super().get_new_connection(conn_params)
        if seconds:
            made.wait = partial(made.wait, timeout=seconds)
        return made

    def is_usable(self) -> bool:
        """Return whether the connection can be used; a query checks this only if the socket is readable."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()

"""Django's PostgreSQL: a look at a connection before each request costs no question to the server; statements count."""

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
    """Takes a connection for usable as long as its socket is silent: nobody closes one without a word.

    Where logs or metrics want to know, `statements` and `statement_seconds` are what was asked of it so far.
    The option `answer_timeout` is the seconds that a statement may take by this machine's clock: a server that is
    frozen keeps no time of its own.
    """

    statements = 0
    statement_seconds = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.IS_SQL_COUNTED:
            self.execute_wrappers.append(self.count_statement)

    def count_statement(self, execute: Callable[..., Any], *given: Any) -> Any:
        """Run one statement and count it, whatever becomes of it: an execute_wrapper of Django."""
        started = time.perf_counter()
        try:
            return execute(*given)
        finally:
            self.statements += 1
            self.statement_seconds += time.perf_counter() - started

    def init_connection_state(self) -> None:
        """Have statements planned with their values where Citus is: by the project it knows which node to ask.

        Of a generic plan it says that it could not create a distributed plan.
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
        """Tell whether the connection can be used; one that has something to say is asked."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()

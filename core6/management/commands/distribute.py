"""`manage.py distribute`: put the people of a Citus cluster on its workers, by project."""

import time
from argparse import ArgumentParser
from contextlib import ExitStack
from itertools import groupby
from textwrap import fill
from typing import Any, Final

from django.conf import settings
from django.core.management import CommandError
from django.db import Error, connection

from core6.analytics.moving import moving
from core6.cluster import plan, rules
from core6.cluster.plan import Table
from core6.database.cluster import is_citus
from core6.management.database_command import AttachedCommand, refuse_other_release
from core6.terminal.progress import progress

_NO_CLUSTER: Final = (
    "the embedded database is one server and no cluster: set one up with Citus (core6/docs/scale.md), bring the data"
    " there by `backup` and `restore`, and set DATABASE_URL to its coordinator"
)
_NO_CITUS: Final = (
    "the database has no Citus: install its package on every node, set shared_preload_libraries = 'citus', restart, and"
    " run CREATE EXTENSION citus in this database there (core6/docs/scale.md)"
)
_COMMENT: Final[dict[str, Any]] = {"width": 118, "initial_indent": "-- ", "subsequent_indent": "--   "}


class Command(AttachedCommand):
    """Puts each table in its place, one after the other; what is there already is left alone."""

    help = (
        "Distribute persons, distinct ids, events and cohort members by project over the workers of a Citus cluster;"
        " run it again after an interruption. Writers and readers of a table wait while it is copied, requests that"
        " take too long get 503, and no cohort is computed: do it when few people use the server."
    )

    is_migrating = False  # what is distributed is what the release that serves has made
    purpose = "distribute"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the statements, with the reasons; run none")

    def make_ready(self) -> None:
        refuse_other_release()

    def run(self, options: dict[str, Any]) -> str | None:
        tables = plan.plan()
        if wrong := rules.broken(tables):
            raise CommandError("\n".join(wrong))
        if options["dry_run"]:
            return _as_script(tables)
        if settings.IS_EMBEDDED:
            raise CommandError(_NO_CLUSTER)
        if settings.IS_BEHIND_POOLER:  # its lock is a session's
            raise CommandError(
                "DATABASE_URL is of a pooler: give the address of the database, without IS_BEHIND_POOLER"
            )
        if not is_citus():
            raise CommandError(_NO_CITUS)
        moved = [table for table in tables if table.place != "coordinator"]
        with ExitStack() as stack:
            with progress("Waiting for calculations, and for a run that was interrupted"):
                stack.enter_context(moving())
            done = sum(self._put(table) for table in moved)
        return f"{done} of {len(moved)} tables put in their places, the others were there."

    def _put(self, table: Table) -> bool:
        """Move a table to its place and print that; return False when it was there already."""
        place = plan.placed().get(table.name)
        if place not in (None, table.place):
            raise CommandError(
                f"{table.name} is a {place} table, and is to be a {table.place} one:"
                f" run SELECT undistribute_table('{table.name}'), then this again"
            )
        if place is None:
            self._run_statement(table.statement)
        if plan.is_left_behind(table):
            self._run_statement(table.clearing)
        return place is None

    def _run_statement(self, statement: str) -> None:
        began = time.monotonic()
        try:
            # Its line is written at its end: the bar would stand in the midst of it.
            with progress(statement), connection.cursor() as cursor:
                cursor.execute(statement)
        except Error as error:
            self.stdout.write(f"{statement}; -- refused")
            raise CommandError(
                f"{' '.join(str(error).split())}: put that right and run this again, what was done stays"
            ) from error
        self.stdout.write(f"{statement}; -- {time.monotonic() - began:.1f} s")
        self.stdout.flush()


def _as_script(tables: list[Table]) -> str:
    """Return the statements as psql takes them, with the reasons as comments."""
    lines: list[str] = []
    for (place, reason), group in groupby(tables, key=lambda table: (table.place, table.reason)):
        found = list(group)
        if place == "coordinator":
            names = ", ".join(table.name for table in found)
            lines.append(fill(f"on the coordinator, since {reason}: {names}", **_COMMENT))
        else:
            lines.append(f"-- {place}, since {reason}")
            lines += [f"{table.statement};" for table in found]
    return "\n".join(lines)

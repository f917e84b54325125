"""`manage.py reset`: a database as it was when `manage.py reset --save` kept it, for tests that start over again."""

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db import ProgrammingError, connection

from core6.backup import copies
from core6.cluster import plan
from core6.database.ownership import refuse_foreign_database
from core6.management.database_command import AttachedCommand
from core6.terminal import program
from core6.terminal.progress import progress

_LONGEST_NAME = 63


class Command(AttachedCommand):
    """Keeps a copy of the database beside it, and puts a copy of that in its place; `serve` runs on meanwhile."""

    help = (
        f"Bring the database back to the state that `{program.NAME} reset --save` kept, ids of later rows included;"
        " beside `serve`, whose requests in flight may get 503 and whose job worker starts again. For tests."
    )

    is_migrating = False  # that takes longer than all the rest
    purpose = "keep or to bring back"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--save", action="store_true", help="keep the present state, in place of the one before")
        parser.add_argument("--lines", action="store_true", help="reset at every line of standard input, until it ends")
        parser.add_argument("--yes", action="store_true", help="required for a database that others may use")

    def _run(self, options: dict[str, Any]) -> str | None:
        try:
            return super()._run(options)
        except ProgrammingError as error:
            raise CommandError(f"the database refuses: {' '.join(str(error).split())}") from error

    def run(self, options: dict[str, Any]) -> str | None:
        name = str(connection.settings_dict["NAME"])
        if (settings.IS_PRODUCTION or not settings.IS_EMBEDDED) and not options["yes"]:
            raise CommandError(
                f"this ends every connection to the database {name} and replaces what is in it:"
                " if that is what you want, add --yes"
            )
        refuse_foreign_database()
        plan.refuse_cluster("reset")
        if len(f"{name}_saved".encode()) > _LONGEST_NAME:
            raise CommandError(
                f"the name of the database {name} is too long to have a copy beside it: use a shorter one"
            )
        with copies.connected(name) as kept:
            if options["save"]:
                with progress(f"Saving {name}"):
                    taken = _timed(kept.save)
                return f"Saved {name} in {taken} ms. To bring it back: {program.NAME} reset"
            for _ in sys.stdin if options["lines"] else [""]:
                with progress(f"Resetting {name}"):
                    taken = _timed(kept.reset)
                self.stdout.write(f"Reset {name} in {taken} ms.")
                self.stdout.flush()
                kept.clear()  # takes as long again, and who reads the line need not wait for it
        return None


def _timed(work: Any) -> int:
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000)

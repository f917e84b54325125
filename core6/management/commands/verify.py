"""`manage.py verify`: whether the stored data are as they must be; it repairs nothing."""

import json
from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.core.management import CommandError

from core6.diagnosis import integrity
from core6.diagnosis.checks import Finding
from core6.management.database_command import AttachedCommand, refuse_other_release

_WIDTH = 120


class Command(AttachedCommand):
    """Runs every check on one snapshot, beside `serve` or alone."""

    help = "Check the stored data against every rule that must hold; writes nothing; exit code 1 when one is broken."

    purpose = "verify"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a JSON array, an entry for each check")

    def make_ready(self) -> None:
        refuse_other_release()

    def run(self, options: dict[str, Any]) -> str | None:
        found = integrity.of_one_snapshot()
        self.stdout.write(
            json.dumps([each.as_json() for each in found], indent=2) if options["json"] else _as_text(found)
        )
        errors = sum(each.is_error for each in found)
        if errors:
            raise CommandError(f"{errors} of {len(found)} rules are broken")
        return None


def _as_text(found: list[Finding]) -> str:
    from rich.console import Console  # noqa: PLC0415  # the import takes a while, and no other command needs it
    from rich.table import Table  # noqa: PLC0415

    shown = [each for each in found if each.count]
    if not shown:
        return f"All {len(found)} checks hold."
    table = Table("check", "rows", "what is wrong", "examples")
    for each in shown:
        name = f"{each.check.name} (warning)" if each.check.is_warning else each.check.name
        table.add_row(name, str(each.count), each.check.wrong, "\n".join(each.examples))
    text = StringIO()
    Console(file=text, width=_WIDTH).print(table)
    return text.getvalue().rstrip()

"""`manage.py verify`: whether the stored data are as they must be; it repairs nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from core6.diagnosis import integrity
from core6.diagnosis.checks import Check
from core6.diagnosis.findings import Finding
from core6.management.database_command import AttachedCommand, refuse_other_release
from core6.terminal.tables import text_of


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
        entries = map(_as_json, integrity.CHECKS, found)
        self.stdout.write(json.dumps(list(entries), indent=2) if options["json"] else _as_text(found))
        errors = sum(each.state == "bad" for each in found)
        if errors:
            raise CommandError(f"{errors} of {len(found)} rules are broken")
        return None


def _as_json(check: Check, found: Finding) -> dict[str, Any]:
    return {
        "name": check.name,
        "wrong": check.wrong,
        "is_warning": check.is_warning,
        "count": found.count,
        "examples": found.examples,
    }


def _as_text(found: list[Finding]) -> str:
    from rich.table import Table  # noqa: PLC0415  # the import takes a while, and few commands need it
    from rich.text import Text  # noqa: PLC0415

    shown = [each for each in found if each.count]
    if not shown:
        return f"All {len(found)} checks hold."
    table = Table("check", "rows", "what is wrong", "examples")
    for each in shown:
        name = f"{each.name} (warning)" if each.state == "warning" else each.name
        style = "yellow" if each.state == "warning" else "bold red"
        # Brackets in an example are no markup.
        table.add_row(Text(name, style=style), str(each.count), Text(each.message), Text("\n".join(each.examples)))
    return text_of(table)

"""`manage.py doctor`: how the server is, and what to do about what is not well; it changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management import CommandError

from core6.diagnosis import doctor
from core6.diagnosis.findings import Finding
from core6.management.base import CommandBase
from core6.terminal.progress import progress
from core6.terminal.tables import text_of

_COLOURS: Final = {"ok": "green", "warning": "yellow", "bad": "bold red"}


class Command(CommandBase):
    """Looks at everything that it can reach: without `serve`, without the database and without migrations, too."""

    help = "Check the server and say how to mend what is wrong; exit code 1 when something is bad."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a JSON array, an entry for each finding")
        parser.add_argument("--url", help="where the web server answers, when that cannot be seen from here")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["url"] and not options["url"].startswith(("http://", "https://")):
            raise CommandError("--url is no address: use http://host:port")
        with progress("Looking"):
            found = doctor.findings(options["url"])
        self.stdout.write(json.dumps(list(map(_as_json, found)), indent=2) if options["json"] else _as_text(found))
        if bad := sum(each.state == "bad" for each in found):
            raise CommandError(f"{bad} of {len(found)} findings {'is' if bad == 1 else 'are'} bad")


def _as_json(found: Finding) -> dict[str, str]:
    return {"name": found.name, "state": found.state, "message": found.message, "advice": found.advice}


def _as_text(found: list[Finding]) -> str:
    from rich.table import Table  # noqa: PLC0415  # the import takes a while, and few commands need it
    from rich.text import Text  # noqa: PLC0415

    table = Table("what", "how", "found, and what to do about it")
    for each in found:
        # Brackets in a message of the database are no markup.
        found_and_advice = f"{each.message}\n→ {each.advice}" if each.advice else each.message
        table.add_row(Text(each.name), Text(each.state, style=_COLOURS[each.state]), Text(found_and_advice))
    return text_of(table)

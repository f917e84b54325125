"""`manage.py provision FILE`: declare a world of users, organizations, projects and keys."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from core6.management.database_command import AttachedCommand
from core6.provisioning.provision import provision_text


class Command(AttachedCommand):
    """Declares one world."""

    help = "Create or update what FILE (YAML or JSON, - for standard input) declares; prints the ids as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="the provisioning file; - reads standard input")
        parser.add_argument("--schema", action="store_true", help="print the JSON Schema of FILE, for editors")

    def handle(self, *args: Any, **options: Any) -> str | None:
        if options["schema"]:
            from core6.provisioning.schema import json_schema  # noqa: PLC0415  # the import takes a while

            return json.dumps(json_schema(), indent=2, ensure_ascii=False)
        if options["file"] is None:
            raise CommandError("name a FILE, or print its JSON Schema by --schema")
        return super().handle(*args, **options)

    def run(self, options: dict[str, Any]) -> str:
        return json.dumps(provision_file(options["file"]), indent=2)


def provision_file(file: str) -> dict[str, Any]:
    """Provision the database from FILE; return the ids. Raises CommandError or WorldError."""
    return provision_text(read_text(file), base=directory_of(file))


def directory_of(file: str) -> Path:
    """Return what the paths in FILE are relative to: its directory, or the working directory for standard input."""
    return Path() if file == "-" else Path(file).parent


def read_text(file: str) -> str:
    """Return the text of FILE; raises CommandError when it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error

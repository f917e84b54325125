"""`manage.py provision FILE`: declare a world of users, organizations, projects and keys."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from core6.management.database_command import AttachedCommand
from core6.provisioning import world
from core6.provisioning.provision import provision


class Command(AttachedCommand):
    """Declares one world."""

    help = "Create or update what FILE (YAML or JSON, - for standard input) declares; prints the ids as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the provisioning file; - reads standard input")

    def run(self, options: dict[str, Any]) -> str:
        file = options["file"]
        return json.dumps(provision(world.read(read_text(file)), base=directory_of(file)), indent=2)


def directory_of(file: str) -> Path:
    """Return what the paths in FILE are relative to: its directory, or the working directory for standard input."""
    return Path() if file == "-" else Path(file).parent


def read_text(file: str) -> str:
    """Return the text of FILE; raises CommandError when it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error

"""`createsuperuser`: Django's name for `create_user --staff`."""

from argparse import ArgumentParser
from typing import Any

from core6.management.commands import create_user


class Command(create_user.Command):
    """Adds a user who may use the console; Core6 has no other kind of superuser."""

    help = "The same as `create_user EMAIL --staff`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address by which the user logs in")
        parser.add_argument("--password", metavar="-", help="-: read the password from standard input")

    def run(self, options: dict[str, Any]) -> str:
        return super().run({**options, "staff": True})

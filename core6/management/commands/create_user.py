"""`create_user`: add a user, who may use the console with --staff."""

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError

from core6.accounts.models import User
from core6.management.database_command import AttachedCommand
from core6.provisioning.provision import provision_text


class Command(AttachedCommand):
    """Adds one user, as provisioning does."""

    help = "Create a user; with --staff one who may use the console at /admin/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address by which the user logs in")
        parser.add_argument("--staff", action="store_true", help="may use the console; needs a password")
        parser.add_argument("--password", metavar="-", help="-: read the password from standard input")

    def run(self, options: dict[str, Any]) -> str:
        email = options["email"]
        if User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"{email} is a user already: choose another address, or change the user in the console")
        entry = {"email": email, "is_staff": options["staff"], "password": _password(options, email)}
        made = provision_text(json.dumps({"users": [entry]}))
        found = next(iter(made["users"].values()))
        return f"Created {email} (id {found['id']})."


def _password(options: dict[str, Any], email: str) -> str | None:
    if options["password"] not in (None, "-"):
        raise CommandError("a password on the command line is visible to others: use --password - and standard input")
    if options["password"] == "-":  # noqa: S105  # standard input
        password = sys.stdin.readline().rstrip("\n")
    elif not options["staff"]:
        return None
    elif sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password, again: ") != password:
            raise CommandError("the passwords differ: try again")
    else:
        raise CommandError("a user of the console needs a password: give it by --password - and standard input")
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password

"""`manage.py create_api_key`: make a personal API key and print it, once."""

import json
from argparse import ArgumentParser
from typing import Any

from core6.accounts.models import PersonalAPIKey, User
from core6.management.database_command import AttachedCommand
from core6.provisioning.errors import WorldError
from core6.provisioning.provision import provision_text


class Command(AttachedCommand):
    """Makes one key."""

    help = "Create a personal API key of a user and print it; it is not shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user whose key it is")
        parser.add_argument("--label", required=True, metavar="TEXT", help="its name, unique for the user")
        parser.add_argument(
            "--scopes", required=True, metavar="a:read,b:write", help="comma-separated; * for all, '' for none"
        )
        parser.add_argument("--organization", action="append", default=[], metavar="NAME", help="restrict to it")
        parser.add_argument("--project", action="append", default=[], metavar="ORG/NAME", help="restrict to it")
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def run(self, options: dict[str, Any]) -> str:
        user, label = options["user"], options["label"]
        if PersonalAPIKey.objects.filter(user__in=User.objects.filter(email__iexact=user), label=label).exists():
            raise WorldError(f"{user} has a key with the label {label!r} already: choose another label")
        entry = {
            "user": user,
            "label": label,
            "scopes": [scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
            "scoped_organizations": options["organization"],
            "scoped_projects": options["project"],
        }
        made = provision_text(json.dumps({"api_keys": [entry]}))["api_keys"][label]
        return json.dumps(made) if options["json"] else str(made["value"])

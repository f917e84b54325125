"""`manage.py list_api_keys`: which personal API keys there are; never their values."""

import json
from argparse import ArgumentParser
from typing import Any

from core6.accounts.models import PersonalAPIKey
from core6.management.database_command import AttachedCommand

_COLUMNS = ("user", "label", "mask", "scopes", "scoped_organizations", "scoped_projects", "last_used_at")


class Command(AttachedCommand):
    """Lists the keys of one user, or of all."""

    help = "List personal API keys: user, label, mask, scopes, restrictions and last use."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="EMAIL", help="only keys of this user")
        parser.add_argument("--json", action="store_true", help="print a JSON array")

    def run(self, options: dict[str, Any]) -> str:
        keys = PersonalAPIKey.objects.select_related("user").order_by("user__email", "label")
        if options["user"]:
            keys = keys.filter(user__email__iexact=options["user"])
        rows = [_row(key) for key in keys]
        if options["json"]:
            return json.dumps(rows, indent=2)
        lines = ["\t".join(_COLUMNS)]
        lines += ["\t".join(_text(row[column]) for column in _COLUMNS) for row in rows]
        return "\n".join(lines)


def _row(key: PersonalAPIKey) -> dict[str, Any]:
    return {
        "user": key.user.email,
        "label": key.label,
        "mask": key.mask_value,
        "scopes": key.scopes or [],
        "scoped_organizations": [str(organization) for organization in key.scoped_organizations or []],
        "scoped_projects": key.scoped_teams or [],
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(part) for part in value) or "-"
    return str(value or "-")

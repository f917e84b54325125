"""`manage.py revoke_api_key`: end a personal API key; the next request with it is 401."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from core6.accounts.models import PersonalAPIKey
from core6.activity.log import log_key
from core6.management.database_command import AttachedCommand
from core6.provisioning.world import WorldError
from core6.terminal import program


class Command(AttachedCommand):
    """Deletes one key."""

    help = "Revoke the personal API key that a user has under a label."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user whose key it is")
        parser.add_argument("--label", required=True, metavar="TEXT", help="its name")

    def run(self, options: dict[str, Any]) -> str:
        user, label = options["user"], options["label"]
        key = PersonalAPIKey.objects.filter(user__email__iexact=user, label=label).first()
        if key is None:
            raise WorldError(f"{user} has no key with the label {label!r}: `{program.NAME} list_api_keys` shows them")
        with transaction.atomic():
            log_key(key.pk, key.label, key.user.email, "revoked")
            key.delete()
        return f"revoked {key.mask_value}"

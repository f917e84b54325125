"""`manage.py reencrypt_secrets`: write the secrets of projects anew, with the first of ENCRYPTION_KEYS."""

from typing import Any

from django.db import transaction
from django.db.models import Q

from core6.management.attached_command import AttachedCommand
from core6.management.progress import progress
from projects.models import Project

_SECRETS = ("secret_api_token", "secret_api_token_backup")


class Command(AttachedCommand):
    """Changes the key of what is encrypted, while the server runs."""

    help = "Encrypt stored secrets anew with the first of ENCRYPTION_KEYS; the others can be dropped afterwards."

    def run(self, options: dict[str, Any]) -> str:
        has_secret = Q(secret_api_token__isnull=False) | Q(secret_api_token_backup__isnull=False)
        found = list(Project.objects.filter(has_secret).values_list("pk", flat=True))
        with progress("Encrypting the secrets of projects", len(found)) as work:
            for key in found:
                with transaction.atomic():
                    project = Project.objects.select_for_update().filter(pk=key).first()
                    if project:
                        project.save(update_fields=_SECRETS)
                work.done += 1
        return f"{len(found)} project{'' if len(found) == 1 else 's'} with secrets written anew"

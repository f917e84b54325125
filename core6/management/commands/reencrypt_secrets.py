"""`manage.py reencrypt_secrets`: write every stored secret anew, with the first of ENCRYPTION_KEYS."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import models, transaction

from core6.management.database_command import AttachedCommand
from core6.security.encryption import encrypted_fields, stored_secrets
from core6.terminal.progress import progress


class Command(AttachedCommand):
    """Changes the key of what is encrypted, while the server runs."""

    help = "Encrypt stored secrets anew with the first of ENCRYPTION_KEYS; the others can be dropped afterwards."

    def run(self, options: dict[str, Any]) -> str:
        fields = list(encrypted_fields())
        found = [(model, names, key) for model, names in fields for key in _with_secrets(model, names)]
        unreadable = []
        with progress("Encrypting secrets", len(found)) as work:
            for model, names, key in found:
                try:
                    _write_anew(model, names, key)
                except ImproperlyConfigured:
                    unreadable.append(f"{model._meta.verbose_name} {key}")
                work.done += 1
        if unreadable:
            raise CommandError(
                f"{len(unreadable)} of {len(found)} rows cannot be decrypted ({unreadable[0]} is the first), the others"
                " are written anew: add the key that they were written with to ENCRYPTION_KEYS"
            )
        return f"{len(found)} row{'' if len(found) == 1 else 's'} with secrets written anew"


def _with_secrets(model: type[models.Model], names: list[str]) -> list[Any]:
    return sorted({key for name in names for key, _ in stored_secrets(model, name)})


def _write_anew(model: type[models.Model], names: list[str], key: Any) -> None:
    """Write the secrets of one row anew, unless it is gone meanwhile."""
    with transaction.atomic():
        row = model._base_manager.select_for_update().only(*names).filter(pk=key).first()
        if row:
            row.save(update_fields=names)

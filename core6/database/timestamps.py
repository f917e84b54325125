"""Fields such as `updated_at`, which have the time of the last save."""

from collections.abc import Iterable

from django.db.models import Model


def with_timestamps(instance: Model, names: Iterable[str]) -> list[str]:
    """Return the names of the fields to save, and of those with `auto_now`, which `update_fields` would leave out."""
    return [*names, *(field.name for field in instance._meta.concrete_fields if getattr(field, "auto_now", False))]

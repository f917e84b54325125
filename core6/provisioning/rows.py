"""Rows of a world: finding them by name, and saving changes."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models

from core6.database.timestamps import with_timestamps
from core6.provisioning.world import WorldError

M = TypeVar("M", bound=models.Model)


def get_unique(rows: "models.QuerySet[M]", path: str) -> M | None:
    """Return the only row, or None; raises WorldError if there are several."""
    found = list(rows[:2])
    if len(found) > 1:
        raise WorldError(f"{path}: two {rows.model._meta.verbose_name_plural} have this name: rename one of them")
    return found[0] if found else None


def check(instance: models.Model, path: str, *, but: Collection[str] = ()) -> None:
    """Raise WorldError for an invalid value of a field of the instance, except the fields in `but`."""
    try:
        instance.clean_fields(exclude=but)
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise WorldError(f"{path}.{name}: {messages[0]}") from error


def save(instance: M, given: Mapping[str, Any], path: str) -> M:
    """Set the given properties and save those that differ; raises WorldError for an invalid value."""
    is_new = instance._state.adding
    changed = [name for name, value in given.items() if is_new or getattr(instance, name) != value]
    for name in changed:
        setattr(instance, name, given[name])
    check(instance, path)
    try:
        if is_new:
            instance.save(force_insert=True)
        elif changed:
            instance.save(update_fields=with_timestamps(instance, changed))
    except IntegrityError as error:
        cause = getattr(error.__cause__, "diag", None)
        raise WorldError(f"{path}: {getattr(cause, 'message_detail', None) or error}") from error
    return instance

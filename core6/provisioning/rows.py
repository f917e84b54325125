"""Rows of a world: finding them by name, and saving changes."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from rest_framework.serializers import Serializer

from core6.database.timestamps import with_timestamps
from core6.provisioning.errors import WorldError, error_line, with_suggestion

M = TypeVar("M", bound=models.Model)


def get_unique(rows: "models.QuerySet[M]", path: str) -> M | None:
    """Return the only row, or None; raises WorldError if there are several."""
    found = list(rows[:2])
    if len(found) > 1:
        raise WorldError(f"{path}: two {rows.model._meta.verbose_name_plural} have this name: rename one of them")
    return found[0] if found else None


def check(instance: models.Model, path: str) -> None:
    """Raise WorldError for invalid values of fields of the instance."""
    try:
        instance.clean_fields()
    except ValidationError as error:
        lines = [
            error_line(f"{path}.{name}", each) for name, messages in error.message_dict.items() for each in messages
        ]
        raise WorldError(*lines) from error


def save(instance: M, given: Mapping[str, Any], path: str) -> M:
    """Set the given properties and save those that differ; raises WorldError for an invalid value."""
    is_new = instance._state.adding
    changed = [name for name, value in given.items() if is_new or getattr(instance, name) != value]
    for name in changed:
        setattr(instance, name, given[name])
    check(instance, path)
    if not (is_new or changed):
        return instance
    try:
        with transaction.atomic():  # after an error the other entries are still looked at
            if is_new:
                instance.save(force_insert=True)
            else:
                instance.save(update_fields=with_timestamps(instance, changed))
    except IntegrityError as error:
        cause = getattr(error.__cause__, "diag", None)
        raise WorldError(error_line(path, str(getattr(cause, "message_detail", None) or error))) from error
    return instance


def check_valid(serializer: Serializer[Any], path: str, names: Mapping[str, str] | None = None) -> None:
    """Raise WorldError with all errors of a serializer; `names` are the keys of the file by the names of its fields."""
    if serializer.is_valid():
        return
    lines = []
    for name, errors in serializer.errors.items():
        at = path if name == "non_field_errors" else f"{path}.{(names or {}).get(name, name)}"
        field = serializer.fields.get(name)
        given = serializer.initial_data.get(name)
        choices = getattr(field, "choices", ())
        for error in dict.fromkeys(_leaves(errors)):
            known = map(str, choices) if getattr(error, "code", "") == "invalid_choice" else ()
            lines.append(error_line(at, with_suggestion(str(error), given, known)))
    raise WorldError(*lines)


def _leaves(errors: Any) -> Iterator[Any]:
    """Yield the messages of a serializer's errors, at any depth."""
    if isinstance(errors, list | dict):
        for part in errors if isinstance(errors, list) else errors.values():
            yield from _leaves(part)
    else:
        yield errors

"""The time of rows and of cohort criteria, and the fields that have it.

`serve --lab` moves it (`core6/lab/clock.py`). Queues, heartbeats, locks, rate limits, sessions and tokens have the
time of the machine: they call `timezone.now` or the functions of Postgres.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

_clock: Callable[[], datetime] = timezone.now


def now() -> datetime:
    """Return the current time for rows and criteria, in UTC."""
    return _clock()


def use_clock(clock: Callable[[], datetime]) -> None:
    """Let `now` call another clock, in this process."""
    global _clock  # noqa: PLW0603  # one clock a process
    _clock = clock


class ChangedAtField(models.DateTimeField):  # type: ignore[type-arg]  # no class can be subscripted at run time
    """The time of the last save, of the clock above; Django's own `auto_now` has the time of the machine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_now": True})

    def pre_save(self, model_instance: models.Model, add: bool) -> datetime:  # the base's
        """Set the time in the instance and return it."""
        value = now()
        setattr(model_instance, self.attname, value)
        return value


def with_timestamps(instance: models.Model, names: Iterable[str]) -> list[str]:
    """Return the names of the fields to save, and of the ChangedAtFields, which `update_fields` would leave out."""
    return [*names, *(field.name for field in instance._meta.concrete_fields if isinstance(field, ChangedAtField))]

"""The query modifiers, with their types and default values."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ValidationError

_PERSONS_ON_EVENTS: Final = (
    "disabled",
    "person_id_no_override_properties_on_events",
    "person_id_override_properties_on_events",
    "person_id_override_properties_joined",
)
#: Every modifier with its possible values or its type; null is always allowed.
MODIFIERS: Final[Mapping[str, tuple[str, ...] | type]] = {
    "bounceRateDurationSeconds": float,
    "bounceRatePageViewMode": ("count_pageviews", "uniq_urls", "uniq_page_screen_autocaptures"),
    "convertToProjectTimezone": bool,
    "customChannelTypeRules": list,
    "dataWarehouseEventsModifiers": list,
    "debug": bool,
    "formatCsvAllowDoubleQuotes": bool,
    "inCohortVia": ("auto", "leftjoin", "subquery", "leftjoin_conjoined"),
    "materializationMode": ("auto", "legacy_null_as_string", "legacy_null_as_null", "disabled"),
    "materializedColumnsOptimizationMode": ("disabled", "optimized"),
    "optimizeJoinedFilters": bool,
    "optimizeProjections": bool,
    "personsArgMaxVersion": ("auto", "v1", "v2"),
    "personsJoinMode": ("inner", "left"),
    "personsOnEventsMode": _PERSONS_ON_EVENTS,
    "propertyGroupsMode": ("enabled", "disabled", "optimized"),
    "s3TableUseInvalidColumns": bool,
    "sessionTableVersion": ("auto", "v1", "v2", "v3"),
    "sessionsV2JoinMode": ("string", "uuid"),
    "timings": bool,
    "useMaterializedViews": bool,
    "usePreaggregatedIntermediateResults": bool,
    "usePreaggregatedTableTransforms": bool,
    "usePresortedEventsTable": bool,
    "useWebAnalyticsPreAggregatedTables": bool,
}
DEFAULTS: Final[dict[str, Any]] = {
    **dict.fromkeys(MODIFIERS),
    "bounceRatePageViewMode": "count_pageviews",
    "inCohortVia": "auto",
    "materializationMode": "legacy_null_as_null",
    "optimizeJoinedFilters": False,
    "personsArgMaxVersion": "auto",
    # Persons are joined to events, since events do not have the properties of their persons.
    "personsOnEventsMode": "disabled",
    "sessionTableVersion": "auto",
    "sessionsV2JoinMode": "string",
}
_LONGEST_BOUNCE = 120


def check_modifier(name: str, value: Any) -> None:
    """Raise ValidationError for an invalid value of a modifier."""
    known = MODIFIERS[name]
    if value is None:
        return
    if isinstance(known, tuple):
        if value not in known:
            raise ValidationError(f"{name} must be one of: {', '.join(known)}.")
    elif known is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 1 <= value <= _LONGEST_BOUNCE:
            raise ValidationError(f"{name} must be a number between 1 and {_LONGEST_BOUNCE}.")
    elif not isinstance(value, known):
        raise ValidationError(f"{name} must be a {'boolean' if known is bool else 'list'}.")

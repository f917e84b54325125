"""The seven kinds of behaviour as SQL: each a statement that selects distinct persons."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cohorts.criteria.dates import Clock, moment
from cohorts.criteria.parse import BehavioralFilter, EventFilter
from cohorts.sql.fragments import Sql, all_of
from cohorts.sql.properties import condition
from cohorts.sql.property_values import CompileError, Property
from core6.analytics.relative_times import SECONDS

_UNITS: Final = {"minute": "M", "hour": "h", "day": "d", "week": "w", "month": "m", "year": "y"}
_COUNTS: Final = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<", "eq": "=", "exact": "="}
_LARGEST_COUNT = 2**62
_LONGEST_SPAN = 10_000 * SECONDS["y"]


def compile_behavior(leaf: BehavioralFilter, *, project_id: int, clock: Clock, has_overrides: bool = False) -> Sql:
    """Return `SELECT person_uuid` of the persons who meet the criterion now; raises CompileError.

    With `has_overrides` there are merged persons whose events do not name their new person yet (E13).
    """
    compile_kind = _KINDS.get(leaf.value)
    if compile_kind is None:
        raise CompileError(f"unknown behaviour {leaf.value!r}")
    return compile_kind(_Behavior(leaf, project_id, clock, has_overrides=has_overrides))


class _Behavior:
    """The parts that the kinds share: the matching events, and the time spans of the criterion."""

    def __init__(self, leaf: BehavioralFilter, project_id: int, clock: Clock, *, has_overrides: bool) -> None:
        self.leaf = leaf
        self.project_id = project_id
        self.clock = clock
        self.now = clock.now
        self.has_overrides = has_overrides

    @property
    def person(self) -> str:
        """The person of event e."""
        return self._person("e")

    def _person(self, name: str) -> str:
        return f"coalesce({name}_o.new_uuid, {name}.person_uuid)" if self.has_overrides else f"{name}.person_uuid"

    def _from(self, name: str) -> str:
        """Return the events, with their overrides if there are any."""
        table = f"analytics_event {name}"
        if not self.has_overrides:
            return table
        other = f"{name}_o"
        return (
            f"{table} LEFT JOIN analytics_personoverride {other} ON {other}.project_id = {name}.project_id"
            f" AND {other}.old_uuid = {name}.person_uuid"
        )

    def events(self, since: datetime | None, until: datetime | None = None, *, are_all: bool = False) -> Sql:
        """Return `FROM … WHERE` of the matching events in (since, until]; `until` is now by default.

        `are_all` includes events that do not meet `event_filters`.
        """
        parts = [self._event("e", self.leaf.key, self.leaf.event_type), Sql("e.timestamp <= %s", (until or self.now,))]
        if since is not None:
            parts.append(Sql("e.timestamp > %s", (since,)))
        if not are_all and self.leaf.event_filters:
            parts.append(self.conditions())
        where = all_of(parts)
        return Sql(f"FROM {self._from('e')} WHERE {where.text}", where.values)

    def conditions(self) -> Sql:
        """Return the condition that an event meets all `event_filters`."""
        parts = []
        for each in self.leaf.event_filters or []:
            if not isinstance(each, EventFilter) or each.type != "event":
                raise CompileError(f"conditions of type {each.type!r} cannot be computed: use type 'event'")
            parts.append(condition(Property.of("e.properties", each.key), each.operator, each.value, self.clock))
        return all_of(parts)

    def followed(self) -> Sql:
        """Return the condition that the second event of a sequence follows event e within its time span."""
        leaf = self.leaf
        other = self._event("f", leaf.seq_event, leaf.seq_event_type)
        span = self.span(leaf.seq_time_value, leaf.seq_time_interval)
        return Sql(
            f"EXISTS (SELECT 1 FROM {self._from('f')} WHERE {other.text} AND {self._person('f')} = {self.person}"
            " AND f.timestamp > e.timestamp AND f.timestamp <= e.timestamp + %s AND f.timestamp <= %s)",
            (*other.values, span, self.now),
        )

    def _event(self, name: str, key: Any, kind: str | None) -> Sql:
        if kind == "actions":
            raise CompileError("Actions cannot be computed: name the event itself")
        if kind != "events":
            raise CompileError(f"unknown event type {kind!r}")
        return Sql(f"{name}.project_id = %s AND {name}.event = %s", (self.project_id, str(key)))

    def start(self) -> datetime:
        """Return the start of the criterion's main time span."""
        explicit = self._explicit("explicit_datetime")
        return explicit or self._before(self.span(self.leaf.time_value, self.leaf.time_interval))

    def end(self) -> datetime:
        """Return the inclusive end of the criterion's main time span: now, or an earlier time (D57)."""
        explicit = self._explicit("explicit_datetime_to")
        return min(explicit, self.now) if explicit else self.now

    def main_span(self) -> tuple[datetime, datetime]:
        """Return start and end; raises CompileError for an explicit end before the start."""
        start, end = self.start(), self.end()
        if end < start and end < self.now:
            raise CompileError("explicit_datetime_to lies before the start of the time: name a later one")
        return start, end

    def _explicit(self, name: str) -> datetime | None:
        text = getattr(self.leaf, name)
        if not text:
            return None
        try:
            return moment(text, self.clock)
        except ValueError as error:
            raise CompileError(f"{name}: {error}") from error

    def later_start(self) -> datetime:
        """Return the start of the second time span, which is `seq_time_value` long."""
        return self._before(self.span(self.leaf.seq_time_value, self.leaf.seq_time_interval))

    def span(self, value: Any, interval: str | None) -> timedelta:
        """Return the duration `value` times `interval`; raises CompileError."""
        if interval not in _UNITS:
            raise CompileError(f"unknown interval {interval!r}")
        seconds = positive("a time", value) * SECONDS[_UNITS[interval]]
        if seconds > _LONGEST_SPAN:
            raise CompileError(f"{value} {interval}s are too long a time")
        return timedelta(seconds=seconds)

    def _before(self, span: timedelta) -> datetime:
        try:
            return self.now - span
        except OverflowError as error:
            raise CompileError("the time lies too far back") from error

    def counted(self) -> Sql:
        """Return the condition on the number of events."""
        sign = _COUNTS.get(self.leaf.operator or "exact")
        if sign is None:
            raise CompileError(f"unknown operator {self.leaf.operator!r} of a count")
        return Sql(f"count(*) {sign} %s", (min(positive("operator_value", self.leaf.operator_value), _LARGEST_COUNT),))


def positive(name: str, value: Any) -> int:
    """Return the value if it is an integer above 0; raises CompileError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise CompileError(f"{name} must be a whole number above 0")
    return value


def _once(behavior: _Behavior) -> Sql:
    events = behavior.events(*behavior.main_span())
    return Sql(f"SELECT DISTINCT {behavior.person} AS person_uuid {events.text}", events.values)


def _grouped(behavior: _Behavior, events: Sql, having: Sql) -> Sql:
    return Sql(
        f"SELECT {behavior.person} AS person_uuid {events.text} GROUP BY 1 HAVING {having.text}",
        (*events.values, *having.values),
    )


def _several_times(behavior: _Behavior) -> Sql:
    return _grouped(behavior, behavior.events(*behavior.main_span()), behavior.counted())


def _first_time(behavior: _Behavior) -> Sql:
    # The first event of that name ever is in the span, and meets the conditions (D62).
    parts = [Sql("min(e.timestamp) > %s AND min(e.timestamp) <= %s", behavior.main_span())]
    if behavior.leaf.event_filters:
        meets = behavior.conditions()
        parts.append(Sql(f"min(e.timestamp) FILTER (WHERE {meets.text}) = min(e.timestamp)", meets.values))
    return _grouped(behavior, behavior.events(None, are_all=True), all_of(parts))


def _sequence(behavior: _Behavior) -> Sql:
    events, followed = behavior.events(*behavior.main_span()), behavior.followed()
    return Sql(
        f"SELECT DISTINCT {behavior.person} AS person_uuid {events.text} AND {followed.text}",
        (*events.values, *followed.values),
    )


def _stopped(behavior: _Behavior) -> Sql:
    start, end = behavior.main_span()
    return _grouped(
        behavior,
        behavior.events(start),
        Sql("min(e.timestamp) <= %s AND max(e.timestamp) <= %s", (end, behavior.later_start())),
    )


def _restarted(behavior: _Behavior) -> Sql:
    (start, end), later = behavior.main_span(), behavior.later_start()
    return _grouped(
        behavior,
        behavior.events(None),
        Sql(
            "max(e.timestamp) > %s AND min(e.timestamp) <= %s AND NOT bool_or(e.timestamp > %s AND e.timestamp <= %s)",
            (later, later, start, min(later, end)),
        ),
    )


def _regularly(behavior: _Behavior) -> Sql:
    leaf = behavior.leaf
    least, total = positive("min_periods", leaf.min_periods), positive("total_periods", leaf.total_periods)
    if least > total:
        raise CompileError("min_periods must not be above total_periods")
    span = behavior.span(leaf.time_value, leaf.time_interval)
    end = min(behavior.end(), behavior.now - timedelta(days=1))  # today is not over
    try:
        start = end - span * total
    except OverflowError as error:
        raise CompileError("the time lies too far back") from error
    events, counted = behavior.events(start, end), behavior.counted()
    periods = (
        f"SELECT {behavior.person} AS person_uuid, floor(extract(epoch FROM %s - e.timestamp) / %s) AS period"
        f" {events.text} GROUP BY 1, 2 HAVING {counted.text}"
    )
    return Sql(
        f"SELECT person_uuid FROM ({periods}) r GROUP BY person_uuid HAVING count(*) >= %s",
        (end, span.total_seconds(), *events.values, *counted.values, least),
    )


_KINDS: Final[Mapping[str, Callable[[_Behavior], Sql]]] = {
    "performed_event": _once,
    "performed_event_multiple": _several_times,
    "performed_event_first_time": _first_time,
    "performed_event_sequence": _sequence,
    "performed_event_regularly": _regularly,
    "stopped_performing_event": _stopped,
    "restarted_performing_event": _restarted,
}

"""The seven kinds of behaviour (contract/cohorts.md 3.1) as SQL: each a statement that selects persons once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cohorts.criteria import BehavioralFilter, EventFilter, moment
from cohorts.properties import CompileError, condition
from cohorts.sql import Sql, all_of

_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "year": 31536000}
_COUNTS: Final = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<", "eq": "=", "exact": "="}
_LARGEST_COUNT = 2**62
_LONGEST_SPAN = 10_000 * 31536000


def did(leaf: BehavioralFilter, *, project_id: int, now: datetime) -> Sql:
    """Return `SELECT person_uuid` of the persons who behaved so until `now`; raises CompileError."""
    compile_kind = _KINDS.get(leaf.value)
    if compile_kind is None:
        raise CompileError(f"unknown behaviour {leaf.value!r}")
    return compile_kind(_Behavior(leaf, project_id, now))


class _Behavior:
    """What the kinds share: the events in question, and the spans of time that the criterion names."""

    def __init__(self, leaf: BehavioralFilter, project_id: int, now: datetime) -> None:
        self.leaf = leaf
        self.project_id = project_id
        self.now = now

    def events(self, since: datetime | None, until: datetime | None = None) -> Sql:
        """Return `FROM … WHERE` of the matching events in (since, until], which is now without an `until`."""
        leaf = self.leaf
        parts = [self._event("e", leaf.key, leaf.event_type), Sql("e.timestamp <= %s", (until or self.now,))]
        if since is not None:
            parts.append(Sql("e.timestamp > %s", (since,)))
        for each in leaf.event_filters or []:
            if not isinstance(each, EventFilter) or each.type != "event":
                raise CompileError(f"conditions of type {each.type!r} cannot be computed: use type 'event'")
            parts.append(condition("e.properties", each.key, each.operator, each.value, self.now))
        where = all_of(parts)
        return Sql(f"FROM analytics_event e WHERE {where.text}", where.values)

    def followed(self) -> Sql:
        """Return the condition that the other event of a sequence comes after event e, soon enough."""
        leaf = self.leaf
        other = self._event("f", leaf.seq_event, leaf.seq_event_type)
        span = self.span(leaf.seq_time_value, leaf.seq_time_interval)
        return Sql(
            f"EXISTS (SELECT 1 FROM analytics_event f WHERE {other.text} AND f.person_uuid = e.person_uuid"
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
        """Return when the criterion's own span of time begins."""
        explicit = self.leaf.explicit_datetime
        if explicit:
            try:
                return moment(explicit, self.now)
            except ValueError as error:
                raise CompileError(f"{explicit!r} is no date") from error
        return self._before(self.span(self.leaf.time_value, self.leaf.time_interval))

    def later_start(self) -> datetime:
        """Return when the second span of time begins, the one of `seq_time_value`."""
        return self._before(self.span(self.leaf.seq_time_value, self.leaf.seq_time_interval))

    def span(self, value: Any, interval: str | None) -> timedelta:
        """Return a length of time; raises CompileError for what is none."""
        if interval not in _SECONDS:
            raise CompileError(f"unknown interval {interval!r}")
        seconds = positive("a time", value) * _SECONDS[interval]
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
    """Return a whole number above nought; raises CompileError."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise CompileError(f"{name} must be a whole number above 0")
    return value


def _once(behavior: _Behavior) -> Sql:
    events = behavior.events(behavior.start())
    return Sql(f"SELECT DISTINCT e.person_uuid {events.text}", events.values)


def _grouped(events: Sql, having: Sql) -> Sql:
    return Sql(
        f"SELECT e.person_uuid {events.text} GROUP BY e.person_uuid HAVING {having.text}",
        (*events.values, *having.values),
    )


def _several_times(behavior: _Behavior) -> Sql:
    return _grouped(behavior.events(behavior.start()), behavior.counted())


def _first_time(behavior: _Behavior) -> Sql:
    return _grouped(behavior.events(None), Sql("min(e.timestamp) > %s", (behavior.start(),)))


def _sequence(behavior: _Behavior) -> Sql:
    events, followed = behavior.events(behavior.start()), behavior.followed()
    return Sql(f"SELECT DISTINCT e.person_uuid {events.text} AND {followed.text}", (*events.values, *followed.values))


def _stopped(behavior: _Behavior) -> Sql:
    return _grouped(behavior.events(behavior.start()), Sql("max(e.timestamp) <= %s", (behavior.later_start(),)))


def _restarted(behavior: _Behavior) -> Sql:
    start, later = behavior.start(), behavior.later_start()
    return _grouped(
        behavior.events(None),
        Sql(
            "max(e.timestamp) > %s AND min(e.timestamp) <= %s AND NOT bool_or(e.timestamp > %s AND e.timestamp <= %s)",
            (later, later, start, later),
        ),
    )


def _regularly(behavior: _Behavior) -> Sql:
    leaf = behavior.leaf
    least, total = positive("min_periods", leaf.min_periods), positive("total_periods", leaf.total_periods)
    if least > total:
        raise CompileError("min_periods must not be above total_periods")
    span = behavior.span(leaf.time_value, leaf.time_interval)
    end = behavior.now - timedelta(days=1)  # today is not over
    try:
        start = end - span * total
    except OverflowError as error:
        raise CompileError("the time lies too far back") from error
    events, counted = behavior.events(start, end), behavior.counted()
    periods = (
        f"SELECT e.person_uuid, floor(extract(epoch FROM %s - e.timestamp) / %s) AS period {events.text}"
        f" GROUP BY 1, 2 HAVING {counted.text}"
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

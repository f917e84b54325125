"""Who meets a cohort's criteria, in plain Python: what the SQL is compared with."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from cohorts.criteria.dates import Clock
from tests.support.cohorts.evaluator_properties import Properties, Refused, property_test
from tests.support.cohorts.evaluator_values import before, time_named

__all__ = ["Event", "NoConditions", "Person", "Refused", "evaluate"]

SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
COUNTS: Mapping[str, Callable[[int, int], bool]] = {
    "gte": lambda count, bound: count >= bound,
    "lte": lambda count, bound: count <= bound,
    "gt": lambda count, bound: count > bound,
    "lt": lambda count, bound: count < bound,
    "eq": lambda count, bound: count == bound,
    "exact": lambda count, bound: count == bound,
}


class NoConditions(Refused):
    pass


@dataclass(frozen=True)
class Event:
    name: str
    at: datetime
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    id: str
    properties: Properties
    events: Sequence[Event] = ()


Node: TypeAlias = Mapping[str, Any]


def evaluate(root: Node, people: Collection[Person], clock: Clock, cohorts: Mapping[int, Collection[str]]) -> set[str]:
    """Return the ids of those who meet the group; `cohorts` has the members of those that exist in the project."""
    if not root["values"]:
        raise NoConditions
    found, is_negated = _Evaluator(people, clock, cohorts).node(root)
    if is_negated:
        raise Refused("only negated")
    return found


class _Evaluator:
    def __init__(self, people: Collection[Person], clock: Clock, cohorts: Mapping[int, Collection[str]]) -> None:
        self.people, self.clock, self.cohorts = people, clock, cohorts

    def node(self, node: Node) -> tuple[set[str], bool]:
        """Return a set and whether the node means all but it."""
        if node["type"] not in ("AND", "OR"):
            return self.leaf(node), bool(node.get("negation", False))
        children = [self.node(child) for child in node["values"]]
        positive = [found for found, is_negated in children if not is_negated]
        negative = [found for found, is_negated in children if is_negated]
        if not children:
            raise Refused("an empty group")
        if node["type"] == "AND":
            if positive:
                return set.intersection(*positive) - set().union(*negative), False
            return set().union(*negative), True
        if negative:
            return set.intersection(*negative) - set().union(*positive), True
        return set().union(*positive), False

    def leaf(self, leaf: Node) -> set[str]:
        if leaf["type"] == "cohort":
            return {each.id for each in self.people} & set(self.cohorts.get(leaf["value"], ()))
        if leaf["type"] == "person":
            meets = property_test(leaf.get("operator"), leaf.get("value"), self.clock)
            return {each.id for each in self.people if meets(each.properties, leaf["key"])}
        does = Behavior(leaf, self.clock).test()
        return {each.id for each in self.people if does(each)}


class Behavior:
    def __init__(self, leaf: Node, clock: Clock) -> None:
        self.leaf, self.clock, self.now = leaf, clock, clock.now

    def test(self) -> Callable[[Person], bool]:
        kind = getattr(self, self.leaf["value"], None)
        if kind is None:
            raise Refused("an unknown behaviour")
        times, does = self.times(), kind()
        return lambda person: does(times(person), person)

    def times(self) -> Callable[[Person], list[datetime]]:
        """Return what lists when a person did it, as far as that is past."""
        check_event_type(self.leaf["event_type"])
        meets = self.conditions()
        return lambda person: [each.at for each in self.past(person) if meets(each)]

    def past(self, person: Person) -> list[Event]:
        return [each for each in person.events if each.name == self.leaf["key"] and each.at <= self.now]

    def conditions(self) -> Callable[[Event], bool]:
        filters = [
            (property_test(each.get("operator"), each["value"], self.clock), each["key"])
            for each in self.leaf.get("event_filters") or []
        ]
        return lambda event: all(meets(event.properties, key) for meets, key in filters)

    def performed_event(self) -> Callable[..., bool]:
        start, end = self.span()
        return lambda times, _: any(start < at <= end for at in times)

    def performed_event_multiple(self) -> Callable[..., bool]:
        (start, end), counts = self.span(), self.counts()

        def test(times: list[datetime], _: Person) -> bool:
            count = sum(start < at <= end for at in times)
            return count > 0 and counts(count)

        return test

    def performed_event_first_time(self) -> Callable[..., bool]:
        (start, end), meets = self.span(), self.conditions()

        def test(_: list[datetime], person: Person) -> bool:
            events = self.past(person)
            first = min((each.at for each in events), default=None)
            return first is not None and start < first <= end and any(e.at == first and meets(e) for e in events)

        return test

    def performed_event_sequence(self) -> Callable[..., bool]:
        (start, end), soon = self.span(), self.length("seq_time_value", "seq_time_interval")
        check_event_type(self.leaf.get("seq_event_type"))

        def test(times: list[datetime], person: Person) -> bool:
            others = [e.at for e in person.events if e.name == self.leaf["seq_event"] and e.at <= self.now]
            return any(start < at <= end and at < other <= at + soon for at in times for other in others)

        return test

    def stopped_performing_event(self) -> Callable[..., bool]:
        (start, end), later = self.span(), self.later_start()
        return lambda times, _: any(start < at <= end for at in times) and not any(at > later for at in times)

    def restarted_performing_event(self) -> Callable[..., bool]:
        (start, end), later = self.span(), self.later_start()

        def test(times: list[datetime], _: Person) -> bool:
            did_again = any(at > later for at in times)
            did_between = any(start < at <= min(later, end) for at in times)
            return did_again and not did_between and min(times) <= later

        return test

    def performed_event_regularly(self) -> Callable[..., bool]:
        least, total, counts = self.whole("min_periods"), self.whole("total_periods"), self.counts()
        length, end = self.length("time_value", "time_interval"), min(self.end(), self.now - timedelta(days=1))
        start = before(end, length * total)
        if least > total:
            raise Refused("more periods than there are")

        def test(times: list[datetime], _: Person) -> bool:
            periods = Counter((end - at) // length for at in times if start < at <= end)
            return sum(counts(count) for count in periods.values()) >= least

        return test

    def start(self) -> datetime:
        explicit = self.leaf.get("explicit_datetime")
        if explicit:
            return time_named(explicit, self.clock)
        return before(self.now, self.length("time_value", "time_interval"))

    def end(self) -> datetime:
        explicit = self.leaf.get("explicit_datetime_to")
        return min(time_named(explicit, self.clock), self.now) if explicit else self.now

    def span(self) -> tuple[datetime, datetime]:
        start, end = self.start(), self.end()
        if end < start and self.leaf.get("explicit_datetime_to") and end < self.now:
            raise Refused("the end is before the start")
        return start, end

    def later_start(self) -> datetime:
        return before(self.now, self.length("seq_time_value", "seq_time_interval"))

    def length(self, value: str, interval: str) -> timedelta:
        if self.leaf.get(interval) not in SECONDS:
            raise Refused("an unknown interval")
        return timedelta(seconds=self.whole(value) * SECONDS[self.leaf[interval]])

    def whole(self, name: str) -> int:
        value = self.leaf.get(name)
        if not isinstance(value, int) or value <= 0:
            raise Refused("no whole number above 0")
        return value

    def counts(self) -> Callable[[int], bool]:
        bound, compare = self.whole("operator_value"), COUNTS.get(self.leaf.get("operator") or "exact")
        if compare is None:
            raise Refused("an unknown operator of a count")
        return lambda count: compare(count, bound)


def check_event_type(name: str | None) -> None:
    # Actions are not kept here, so no action can be computed.
    if name != "events":
        raise Refused("an unknown type of event")

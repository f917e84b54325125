"""Who meets a cohort's criteria, in plain Python, from contract/cohorts.md 2.6, 3.1: what the SQL is held against."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from tests.cohorts.evaluator_properties import Properties, Refused, property_test
from tests.cohorts.evaluator_values import before, time_named

__all__ = ["Event", "NothingAsked", "Person", "Refused", "evaluate"]

SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
COUNTS: Mapping[str, Callable[[int, int], bool]] = {
    "gte": lambda count, asked: count >= asked,
    "lte": lambda count, asked: count <= asked,
    "gt": lambda count, asked: count > asked,
    "lt": lambda count, asked: count < asked,
    "eq": lambda count, asked: count == asked,
    "exact": lambda count, asked: count == asked,
}


class NothingAsked(Refused):
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


def evaluate(root: Node, people: Collection[Person], now: datetime, cohorts: Mapping[int, Collection[str]]) -> set[str]:
    """Return the ids of those who meet the group; `cohorts` has the members of those that exist in the project."""
    if not root["values"]:
        raise NothingAsked
    found, is_negated = _Evaluator(people, now, cohorts).node(root)
    if is_negated:
        raise Refused("only negated")
    return found


class _Evaluator:
    def __init__(self, people: Collection[Person], now: datetime, cohorts: Mapping[int, Collection[str]]) -> None:
        self.people, self.now, self.cohorts = people, now, cohorts

    def node(self, node: Node) -> tuple[set[str], bool]:
        """Return a set and whether the node stands for all but it."""
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
            meets = property_test(leaf.get("operator"), leaf.get("value"), self.now)
            return {each.id for each in self.people if meets(each.properties, leaf["key"])}
        does = Behavior(leaf, self.now).test()
        return {each.id for each in self.people if does(each)}


class Behavior:
    def __init__(self, leaf: Node, now: datetime) -> None:
        self.leaf, self.now = leaf, now

    def test(self) -> Callable[[Person], bool]:
        kind = getattr(self, self.leaf["value"], None)
        if kind is None:
            raise Refused("an unknown behaviour")
        times, does = self.times(), kind()
        return lambda person: does(times(person), person)

    def times(self) -> Callable[[Person], list[datetime]]:
        """Return what tells when a person did it, as far as that is past."""
        check_event_type(self.leaf["event_type"])
        filters = [
            (property_test(each.get("operator"), each["value"], self.now), each["key"])
            for each in self.leaf.get("event_filters") or []
        ]
        return lambda person: [
            each.at
            for each in person.events
            if each.name == self.leaf["key"]
            and each.at <= self.now
            and all(meets(each.properties, key) for meets, key in filters)
        ]

    def performed_event(self) -> Callable[..., bool]:
        start = self.start()
        return lambda times, _: any(at > start for at in times)

    def performed_event_multiple(self) -> Callable[..., bool]:
        start, counts = self.start(), self.counts()

        def test(times: list[datetime], _: Person) -> bool:
            count = sum(at > start for at in times)
            return count > 0 and counts(count)

        return test

    def performed_event_first_time(self) -> Callable[..., bool]:
        start = self.start()
        return lambda times, _: bool(times) and min(times) > start

    def performed_event_sequence(self) -> Callable[..., bool]:
        start, soon = self.start(), self.length("seq_time_value", "seq_time_interval")
        check_event_type(self.leaf.get("seq_event_type"))

        def test(times: list[datetime], person: Person) -> bool:
            others = [e.at for e in person.events if e.name == self.leaf["seq_event"] and e.at <= self.now]
            return any(at > start and at < other <= at + soon for at in times for other in others)

        return test

    def stopped_performing_event(self) -> Callable[..., bool]:
        start, later = self.start(), self.later_start()
        return lambda times, _: any(at > start for at in times) and not any(at > later for at in times)

    def restarted_performing_event(self) -> Callable[..., bool]:
        start, later = self.start(), self.later_start()

        def test(times: list[datetime], _: Person) -> bool:
            did_again = any(at > later for at in times)
            did_between = any(start < at <= later for at in times)
            return did_again and not did_between and min(times) <= later

        return test

    def performed_event_regularly(self) -> Callable[..., bool]:
        least, total, counts = self.whole("min_periods"), self.whole("total_periods"), self.counts()
        length, end = self.length("time_value", "time_interval"), self.now - timedelta(days=1)
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
            return time_named(explicit, self.now)
        return before(self.now, self.length("time_value", "time_interval"))

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
        asked, compare = self.whole("operator_value"), COUNTS.get(self.leaf.get("operator") or "exact")
        if compare is None:
            raise Refused("an unknown operator of a count")
        return lambda count: compare(count, asked)


def check_event_type(name: str | None) -> None:
    # Actions are not kept here, so no action can be computed.
    if name != "events":
        raise Refused("an unknown type of event")

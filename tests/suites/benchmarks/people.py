"""Persons and events of a benchmark as NDJSON, the criteria tried on them, and a count of each in plain Python.

Nothing happens near the edge of a span of days, so that a count is the same minutes later.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

EVENTS_EACH = 5
_PLANS = ["free"] * 7 + ["team"] * 3 + ["pro"]
_CITIES = ("London", "Boston", "Paris", "Berlin", "Lisbon", "Oslo", "Toronto", "Vienna", "Rome", "Madrid", "Kyiv")
_EVENTS = ("$pageview",) * 5 + ("$autocapture",) * 3 + ("signed up", "purchased")


@dataclass(frozen=True)
class Try:
    """One criterion: for us, for DuckDB (where `moment()` is the time now), and for Python.

    `meets` gets a person's properties and events, each with its age in days.
    """

    name: str
    filters: dict[str, Any]
    duckdb: str
    meets: Callable[[dict[str, Any], list[tuple[str, int, dict[str, Any]]]], bool]


def _leaf(key: str, operator: str, value: Any) -> dict[str, Any]:
    return {"type": "person", "key": key, "operator": operator, "value": value}


def _did(value: str, key: str, **more: Any) -> dict[str, Any]:
    found = {"type": "behavioral", "value": value, "key": key, "event_type": "events"}
    return found | {"time_value": 30, "time_interval": "day"} | more


def _group(kind: str, *values: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "values": list(values)}


def _filters(kind: str, *values: dict[str, Any]) -> dict[str, Any]:
    return {"properties": _group(kind, *values)}


_PRO = _leaf("plan", "exact", "pro")
_SINCE = "e.timestamp > moment() - INTERVAL 30 DAY AND e.timestamp <= moment()"
_BOUGHT = f"SELECT person FROM events e WHERE e.event = 'purchased' AND {_SINCE}"
_VIEWED = f"SELECT person FROM events e WHERE e.event = '$pageview' AND {_SINCE} GROUP BY 1 HAVING count(*) >= 3"
_DEAR = f"{_BOUGHT} AND TRY_CAST(e.properties->>'$.amount' AS DOUBLE) > 90"
_AGE = "TRY_CAST(properties->>'$.age' AS DOUBLE)"

TRIES = (
    Try("exact", _filters("AND", _PRO), "properties->>'$.plan' = 'pro'", lambda p, _: p["plan"] == "pro"),
    Try(
        "icontains",
        _filters("AND", _leaf("city", "icontains", "ON")),
        "properties->>'$.city' ILIKE '%ON%'",
        lambda p, _: "on" in p["city"].lower(),
    ),
    Try(
        "range",
        _filters("AND", _leaf("age", "gte", 30), _leaf("age", "lt", 50)),
        f"{_AGE} >= 30 AND {_AGE} < 50",
        lambda p, _: 30 <= p["age"] < 50,
    ),
    Try(
        "two ANDed",
        _filters("AND", _PRO, _leaf("age", "gte", 30), _leaf("city", "is_not", "Rome")),
        f"properties->>'$.plan' = 'pro' AND {_AGE} >= 30 AND properties->>'$.city' <> 'Rome'",
        lambda p, _: p["plan"] == "pro" and p["age"] >= 30 and p["city"] != "Rome",
    ),
    Try(
        "event, 3 times or more",
        _filters("AND", _did("performed_event_multiple", "$pageview", operator="gte", operator_value=3)),
        f"uuid IN ({_VIEWED})",
        lambda _, events: sum(name == "$pageview" and day < 30 for name, day, _ in events) >= 3,
    ),
    Try(
        "event with a condition",
        _filters(
            "AND",
            _did(
                "performed_event",
                "purchased",
                event_filters=[{"type": "event", "key": "amount", "operator": "gt", "value": 90}],
            ),
        ),
        f"uuid IN ({_DEAR})",
        lambda _, events: any(each[0] == "purchased" and each[1] < 30 and each[2]["amount"] > 90 for each in events),
    ),
    Try(
        "nested",
        {
            "properties": _group(
                "OR",
                _group("AND", _PRO, _did("performed_event", "purchased", negation=True)),
                _group("AND", _leaf("age", "gt", 60), _did("performed_event", "purchased")),
            )
        },
        f"(properties->>'$.plan' = 'pro' AND uuid NOT IN ({_BOUGHT})) OR ({_AGE} > 60 AND uuid IN ({_BOUGHT}))",
        lambda p, events: p["age"] > 60 if _has_bought(events) else p["plan"] == "pro",
    ),
)


def _has_bought(events: list[tuple[str, int, dict[str, Any]]]) -> bool:
    return any(name == "purchased" and day < 30 for name, day, _ in events)


def write(directory: Path, persons: int) -> dict[str, int]:
    """Write `persons.ndjson` and `events.ndjson`; return how many persons meet each criterion."""
    counts = dict.fromkeys((each.name for each in TRIES), 0)
    now = datetime.now(UTC)
    days = [(now - timedelta(days=day, hours=12)).isoformat() for day in range(90)]
    with (directory / "persons.ndjson").open("wb") as people, (directory / "events.ndjson").open("wb") as happened:
        for number, (properties, events) in enumerate(_invented(persons)):
            name = f"u{number}"
            people.write(orjson.dumps({"distinct_ids": [name], "properties": properties}) + b"\n")
            for event, day, details in events:
                row = {"distinct_id": name, "event": event, "timestamp": days[day], "properties": details}
                happened.write(orjson.dumps(row) + b"\n")
            for each in TRIES:
                counts[each.name] += each.meets(properties, events)
    return counts


def _invented(persons: int) -> Iterator[tuple[dict[str, Any], list[tuple[str, int, dict[str, Any]]]]]:
    chance = random.Random(6)  # the same people each time
    for number in range(persons):
        properties = {
            "email": f"person{number}@example.com",
            "name": f"Person {number}",
            "plan": chance.choice(_PLANS),
            "city": chance.choice(_CITIES),
            "age": chance.randrange(16, 86),
            "$browser": "Firefox" if number % 3 else "Chrome",
            "$os": "Linux" if number % 2 else "Mac OS X",
            "utm_source": f"campaign-{number % 50}",
            "$initial_referrer": f"https://example.com/from/{number % 1000}",
        }
        events = [
            (chance.choice(_EVENTS), chance.randrange(90), {"path": f"/page/{number % 100}", "amount": number % 100})
            for _ in range(EVENTS_EACH)
        ]
        yield properties, events

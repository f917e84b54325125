"""Random histories of what SDKs send about a few people, and how they are divided into requests."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.support.capture.model import LIFTED

START = datetime.fromisoformat("2026-03-01T10:00:00+00:00")
IDS = ["anna", "ben", "cleo", "anon-1", "anon-2", "anon-3", "null"]
KEYS = ["plan", "email", "n", "$initial_browser"]
#: Alike ones, so that merges, repetitions and conflicts are frequent.
NAMES = ["visit"] * 5 + ["$identify"] * 5 + ["$create_alias"] * 3 + ["$merge_dangerously"] * 7
NAMES += ["$set", "$set", "$groupidentify", "$exception", "$$heatmap"]


@dataclass(frozen=True)
class History:
    """Events in the order of arrival, and the same in requests: lists of events."""

    number: int
    requests: list[list[dict[str, Any]]]

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        return (event for request in self.requests for event in request)

    def __str__(self) -> str:
        return f"history {self.number}:\n" + "\n".join(json.dumps(each) for each in self.requests)


def history(number: int) -> History:
    """Return the history of a number, always the same."""
    randoms = Random(number)
    size = randoms.choice([4, 9, 14])
    ids = randoms.sample(IDS, randoms.choice([2, 4, 4, 5, len(IDS)]))
    events = [_event(randoms, randoms.choice(NAMES), ids, number, i) for i in range(size)]
    if randoms.random() < 0.5:
        # Out of order, as after a time without a network.
        randoms.shuffle(events)
    if randoms.random() < 0.5:
        # Each is somebody before anything is merged.
        first = [_event(randoms, "visit", [each], number, size + i) for i, each in enumerate(ids)]
        for each in first:
            each["properties"].pop("$process_person_profile", None)
        events = first + events
    if randoms.random() < 0.5:
        # An SDK that saw no answer sends again; the second one of a uuid may even differ.
        for again in randoms.choices(events, k=2):
            changed = {**again, "distinct_id": randoms.choice(ids)} if randoms.random() < 0.2 else again
            events.insert(randoms.randrange(len(events) + 1), changed)
    return History(number, list(_requests(randoms, events)))


def _requests(randoms: Random, events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    largest = randoms.choice([1, 3, 6, 100])
    while events:
        size = randoms.randint(1, largest)
        yield events[:size]
        events = events[size:]


def _event(randoms: Random, name: str, ids: list[str], number: int, index: int) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if name == "$identify" and randoms.random() < 0.9:
        properties["$anon_distinct_id"] = randoms.choice(ids)
    elif name in ("$create_alias", "$merge_dangerously"):
        properties["alias"] = randoms.choice([*ids, ""])
    event = {
        "uuid": str(UUID(int=(number << 64) + index + 1)),
        "event": name,
        "distinct_id": randoms.choice(ids),
        "timestamp": (START + timedelta(seconds=randoms.choice([0, 30, 60, 61, 90, 4000]) + index)).isoformat(),
        "properties": properties,
    }
    for place in (properties, event):
        for kind in ("$set", "$set_once"):
            if randoms.random() < 0.2:
                place[kind] = {key: randoms.choice([1, "x", None, [2]]) for key in randoms.sample(KEYS, 2)}
    if randoms.random() < 0.2:
        properties["$unset"] = randoms.sample(KEYS, 1)
    if randoms.random() < 0.3:
        properties |= {each: f"v{randoms.randrange(3)}" for each in randoms.sample(LIFTED, 2)}
    if randoms.random() < 0.1:
        properties["$is_server"] = randoms.choice([True, False])
    if randoms.random() < 0.32:
        properties["$process_person_profile"] = randoms.choice([False, False, False, True])
    return event

from typing import Any

import pytest

from cohorts.criteria.parse import CriteriaError, parse

DAY = {"time_value": 30, "time_interval": "day"}
LATER = {"seq_time_value": 2, "seq_time_interval": "day"}


def tree(*values: Any, kind: str = "AND") -> dict[str, Any]:
    return {"properties": {"type": kind, "values": list(values)}}


def person(**changes: Any) -> dict[str, Any]:
    return without_absent({"type": "person", "key": "email", "operator": "exact", "value": "a@b.c", **changes})


def behavior(**changes: Any) -> dict[str, Any]:
    leaf = {"type": "behavioral", "key": "$pageview", "value": "performed_event", "event_type": "events", **DAY}
    return without_absent({**leaf, **changes})


def cohort(**changes: Any) -> dict[str, Any]:
    return without_absent({"type": "cohort", "key": "id", "value": 12, **changes})


def without_absent(leaf: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in leaf.items() if value is not ...}


def refusal(filters: Any) -> CriteriaError:
    with pytest.raises(CriteriaError) as caught:
        parse(filters)
    return caught.value

import random
from typing import Any

import pytest

from cohorts.criteria.parse import CriteriaError, dump, load, parse
from tests.support.cohorts.criteria_parts import behavior, cohort, person

WORDS = """
    type key value values operator negation properties event_filters person behavioral cohort event hogql AND OR id
    time_value time_interval day exact is_set performed_event event_type events bytecode -7d 12 is_date_after
""".split()


def any_json(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 5)
    if kind < 5:
        return chance.choice([None, True, 0, 1.5, 10**30, "", "\0", "\ud800", "🦔", *WORDS])
    if kind == 5:
        return [any_json(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(WORDS): any_json(chance, depth - 1) for _ in range(chance.randrange(6))}


def nearly_right(chance: random.Random, depth: int) -> Any:
    if depth and chance.random() < 0.5:
        values = [nearly_right(chance, depth - 1) for _ in range(chance.randrange(4))]
        return {"type": chance.choice(["AND", "OR"]), "values": values}
    leaf = chance.choice([person, behavior, cohort])()
    while chance.random() < 0.2:
        leaf[chance.choice(WORDS)] = any_json(chance, 2)
    return leaf


@pytest.mark.parametrize("seed", range(20))
def test_random_json_is_refused_or_has_a_stable_normal_form(seed: int):
    chance = random.Random(seed)
    read = 0
    for _ in range(200):
        group = {"type": "AND", "values": [nearly_right(chance, 4)]}
        for filters in (any_json(chance, 5), {"properties": any_json(chance, 5)}, {"properties": group}):
            try:
                first = dump(parse(filters))
            except CriteriaError:
                continue
            read += 1
            assert dump(parse(first)) == dump(load(first)) == first
    assert read > 20

"""How many of a large product of cases a run takes: a share of them, or all of them with `EVERY_CASE=1`."""

import os
from collections.abc import Iterable
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")
#: `EVERY_CASE=1` takes all that there are, which needs minutes.
IS_EVERY_CASE: Final = os.environ.get("EVERY_CASE") == "1"
_SEED: Final = 20260315


def sampled(cases: Iterable[T], share: int) -> list[T]:
    """Return one of `share` cases, the same in every process and every run; all of them where IS_EVERY_CASE."""
    found = list(cases)
    if IS_EVERY_CASE:
        return found
    Random(_SEED).shuffle(found)
    return found[::share]

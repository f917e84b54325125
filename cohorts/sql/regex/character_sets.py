"""Sets of characters as ranges of code points: a class such as \\w must not depend on the database."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache
from itertools import chain
from typing import Final

#: Inclusive ranges of code points, sorted and with gaps between them, so that equal sets are equal values.
Ranges = tuple[tuple[int, int], ...]

LAST: Final = 0x10FFFF
#: The code point after the last letter that has two cases.
_CASED_END: Final = 0x1E944
ANY: Final[Ranges] = ((0, LAST),)


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the set of all characters of the ranges, which may be in any order and overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Return the set of all other characters, including the newline."""
    lows = [0, *(high + 1 for _, high in ranges)]
    highs = [*(low - 1 for low, _ in ranges), LAST]
    return tuple((low, high) for low, high in zip(lows, highs, strict=True) if low <= high)


def ignore_case(ranges: Ranges) -> Ranges:
    """Return the set with the other cases of its letters, by the simple case folding of Unicode."""
    variants = _case_variants()
    letters = list(variants)
    inside = chain.from_iterable(
        letters[bisect_left(letters, low) : bisect_right(letters, high)] for low, high in ranges
    )
    return union(chain(ranges, ((other, other) for letter in inside for other in variants[letter])))


@cache
def _case_variants() -> dict[int, list[int]]:
    """Return for every letter with other cases, in order, all its variants, such as k, K and the kelvin sign."""
    by_folding: defaultdict[str, list[int]] = defaultdict(list)
    for code in range(_CASED_END):
        by_folding[chr(code).casefold()].append(code)
    return dict(sorted((code, codes) for codes in by_folding.values() if len(codes) > 1 for code in codes))


def count_kinds(sets: Collection[Ranges]) -> tuple[int, dict[Ranges, int]]:
    """Return how many kinds of characters the sets distinguish, in total and in each of them.

    Postgres calls them colors: its automaton has one arc for each color of a set.
    """
    changes: defaultdict[int, int] = defaultdict(int, {0: 0})
    for index, ranges in enumerate(sets):
        for low, high in ranges:
            changes[low] ^= 1 << index
            changes[high + 1] ^= 1 << index
    kinds, member_of = set(), 0
    for _, change in sorted(changes.items()):
        member_of ^= change
        kinds.add(member_of)
    return len(kinds), {ranges: sum(kind >> i & 1 for kind in kinds) for i, ranges in enumerate(sets)}


def _set(members: str) -> Ranges:
    """Return a set of ASCII characters written as pairs: the first and the last of each range."""
    return union((ord(low), ord(high)) for low, high in zip(members[::2], members[1::2], strict=True))


WORD_CHARACTERS: Final = _set("azAZ09__")
#: The classes `\d`, `\s` and `\w` by their letters.
CLASSES: Final = {"d": _set("09"), "s": _set("\t\n\f\r  "), "w": WORD_CHARACTERS}
#: The classes `[:name:]` by their names; all contain only ASCII, as in RE2.
POSIX_CLASSES: Final = {
    "alnum": _set("azAZ09"),
    "alpha": _set("azAZ"),
    "ascii": _set("\0\x7f"),
    "blank": _set("\t\t  "),
    "cntrl": _set("\0\x1f\x7f\x7f"),
    "digit": _set("09"),
    "graph": _set("!~"),
    "lower": _set("az"),
    "print": _set(" ~"),
    "punct": _set("!/:@[`{~"),
    "space": _set("\t\r  "),
    "upper": _set("AZ"),
    "word": WORD_CHARACTERS,
    "xdigit": _set("09afAF"),
}

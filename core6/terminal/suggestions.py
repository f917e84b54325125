"""What was probably meant by a word that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST_NAME: Final = 100
#: Of two texts, as `difflib` measures it: at 0.6, its default, some suggestions are only confusing.
_LEAST_SIMILARITY: Final = 0.7


def most_similar(given: object, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar, ignoring case; None if none is."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(str(given)[:_LONGEST_NAME].casefold(), by_folded, 1, _LEAST_SIMILARITY)
    return by_folded[close[0]] if close else None

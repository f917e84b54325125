"""The maximum length of error texts in responses, in the log and in the database (D70)."""

from typing import Final

#: In characters.
LONGEST: Final = 1_000


def shortened(text: str) -> str:
    """Return the text of an error, truncated if too long, since it may contain input of a client."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

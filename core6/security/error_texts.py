"""How long the text of an error may be, in answers, in the log and where it is stored (D70)."""

from typing import Final

#: In characters.
LONGEST: Final = 1_000


def shortened(text: str) -> str:
    """Return the text of an error, cut where it is too long: it may repeat what a client sent."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

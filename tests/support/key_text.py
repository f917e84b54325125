"""Finds keys and tokens where none may be."""

import re

#: The whole of a key or of a project's token; a mask shows less.
KEY_TEXT = re.compile(r"ph[xcs]_[A-Za-z0-9]{20,}")


def lines_with_keys(text: str) -> list[str]:
    """Return the lines that hold the text of a key, without it."""
    return [KEY_TEXT.sub("ph?_…", line) for line in text.splitlines() if KEY_TEXT.search(line)]

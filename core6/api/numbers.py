"""Numbers as clients write them: in the digits 0 to 9 alone."""


def has_plain_digits(text: str) -> bool:
    """Return whether a text is free of what only Python reads in numbers: digits of other scripts, and underscores."""
    return text.isascii() and "_" not in text

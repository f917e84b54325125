"""Numbers of clients: only the digits 0 to 9 are accepted."""


def has_plain_digits(text: str) -> bool:
    """Return whether a text has neither digits of other scripts nor underscores, which Python accepts in numbers."""
    return text.isascii() and "_" not in text

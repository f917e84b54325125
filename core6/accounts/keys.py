"""Generating and hashing of personal API keys and other tokens."""

import hashlib
import secrets
import string

_ALPHABET = string.digits + string.ascii_lowercase + string.ascii_uppercase
KEY_PREFIX = "phx_"


def token(prefix: str, bits: int) -> str:
    """Return `prefix` and a base62 number of `bits` random bits."""
    number = secrets.randbits(bits)
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return prefix + digits


def generate() -> str:
    """Return a new personal API key: `phx_` and 280 random bits, usually 51 or 52 characters."""
    return token(KEY_PREFIX, 280)


def digest(key: str) -> str:
    """Return the digest of a key for storage. So many random bits need neither a salt nor a slow hash."""
    return f"sha256${hashlib.sha256(key.encode()).hexdigest()}"

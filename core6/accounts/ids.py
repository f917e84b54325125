"""Generated ids."""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """Return an RFC 9562 UUID version 7: 48 bits of Unix milliseconds, then random bits (D53)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    number = number & ~(0xF000 << 64) | 0x7000 << 64  # version
    number = number & ~(0xC000 << 48) | 0x8000 << 48  # variant
    return uuid.UUID(int=number)

"""The decoder of lz-string's `compressToBase64`, which old versions of posthog-js send."""

from collections.abc import Iterator
from typing import Final

#: In characters (E14).
LARGEST_INPUT: Final = 64 * 1024
LARGEST_OUTPUT: Final = 512 * 1024
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_END: Final = 2


def decompress(text: str) -> str:
    """Return the text; raises ValueError for what lz-string did not write, and OverflowError for what is too large."""
    if len(text) > LARGEST_INPUT:
        raise OverflowError
    bits = _Bits(text)
    parts: list[str] = []
    size = 0
    for part in _parts(bits):
        size += len(part)
        if size > LARGEST_OUTPUT:
            raise OverflowError
        parts.append(part)
    # Characters beyond the first plane are two halves of UTF-16.
    return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _parts(bits: "_Bits") -> Iterator[str]:
    """Yield the entries of the dictionary in the order of the text (LZ78)."""
    # The codes 0 and 1 announce a new character of 8 or 16 bits; 2 is the end.
    known = ["", "", ""]
    width, previous = 2, ""
    while True:
        code = bits.take(width)
        if code == _END:
            return
        if code < _END:
            known.append(chr(bits.take(16 if code else 8)))
            code = len(known) - 1
        if code < len(known):
            entry = known[code]
        elif code == len(known) and previous:
            entry = previous + previous[0]
        else:
            raise ValueError("a code that is not in the dictionary")
        yield entry
        if previous:
            known.append(previous + entry[0])
        previous = entry
        # One more entry may follow before the next code is read.
        width = max(width, (len(known)).bit_length())


class _Bits:
    """The bits of a base64 text, six a character, the first one first; a number begins with its lowest bit."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0
        self._value = self._left = 0

    def take(self, count: int) -> int:
        number = 0
        for i in range(count):
            if not self._left:
                self._value, self._left = self._read(), 6
            self._left -= 1
            number |= (self._value >> self._left & 1) << i
        return number

    def _read(self) -> int:
        if self._next >= len(self._text) or (value := _VALUES.get(self._text[self._next])) is None:
            raise ValueError("the text ends too early, or is no base64")
        self._next += 1
        return value & 63

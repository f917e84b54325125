"""A tokenizer of the RE2 syntax (D54): syntax that is not exactly supported is refused, never reinterpreted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Never

from cohorts.sql.regex.character_sets import ANY, CLASSES, LAST, POSIX_CLASSES, Ranges, complement, ignore_case, union

_LONGEST_PATTERN: Final = 1_000
#: The largest bound of a repetition that Postgres accepts.
_LARGEST_BOUND: Final = 255


class RegularExpressionError(ValueError):
    """A regular expression cannot be used; the message is a sentence that says why."""


class Symbol(Enum):
    """A token that structures an expression."""

    OPEN = "("
    CLOSE = ")"
    OR = "|"


class Assertion(Enum):
    """A token that matches a position between characters."""

    TEXT_START = "^"
    TEXT_END = "$"
    WORD_BOUNDARY = r"\b"
    NO_WORD_BOUNDARY = r"\B"


@dataclass(frozen=True)
class Characters:
    """One character of a set."""

    ranges: Ranges


@dataclass(frozen=True)
class Repeat:
    """The number of repetitions of the part before; `most` is None if unlimited."""

    least: int
    most: int | None


Token = Symbol | Assertion | Characters | Repeat


def read(pattern: str) -> Iterator[Token]:
    """Yield the tokens of an RE2 expression; raises RegularExpressionError if RE2 or Postgres cannot match it."""
    if len(pattern) > _LONGEST_PATTERN:
        raise RegularExpressionError(f"A regular expression is longer than {_LONGEST_PATTERN:,} characters.")
    try:
        pattern.encode()
    except UnicodeEncodeError as error:
        raise RegularExpressionError("A regular expression is not valid Unicode.") from error
    return _Reader(pattern).tokens()


_FLAGS: Final = re.compile(r"(?:\(\?[is]+\))*")
_REPEAT: Final = re.compile(r"(?:[*+?]|\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\})\??")
_REPEATS: Final = {"*": Repeat(0, None), "+": Repeat(1, None), "?": Repeat(0, 1)}
_GROUP: Final = re.compile(r"\((?:\?:|\?P?<[0-9A-Za-z_]+>|(?!\?))")
_OTHER_GROUPS: Final = (
    (re.compile(r"\(\?<?[=!]"), "Look-around is not supported in regular expressions"),
    (re.compile(r"\(\?P="), "Back references are not supported in regular expressions"),
    (re.compile(r"\(\?[A-Za-z-]*[:)]"), "Flags other than (?i) in front are not supported in regular expressions"),
    (re.compile(r"\(\?.{0,2}", re.DOTALL), "A group of this kind is not supported in regular expressions"),
)
_SYMBOLS: Final[dict[str, Token]] = {
    ")": Symbol.CLOSE,
    "|": Symbol.OR,
    "^": Assertion.TEXT_START,
    "$": Assertion.TEXT_END,
    ".": Characters(ANY),
    r"\A": Assertion.TEXT_START,
    r"\z": Assertion.TEXT_END,
    r"\b": Assertion.WORD_BOUNDARY,
    r"\B": Assertion.NO_WORD_BOUNDARY,
}

_ESCAPE: Final = re.compile(r"\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})|([^0-9A-Za-z]))")
_NAMED_CHARACTERS: Final = {r"\a": 7, r"\f": 12, r"\n": 10, r"\r": 13, r"\t": 9, r"\v": 11}
_OTHER_ESCAPES: Final = (
    (re.compile(r"\\[1-9]"), "Back references are not supported in regular expressions"),
    (re.compile(r"\\[pP](?:\{[^}]*\}?|.)?", re.DOTALL), "Unicode classes are not supported in regular expressions"),
    (re.compile(r"\\Q"), r"Quoting by \Q is not supported in regular expressions"),
    (re.compile(r"\\C"), "Matching single bytes is not supported in regular expressions"),
    (re.compile(r"\\\Z"), "A regular expression ends in a backslash"),
    (re.compile(r"\\.", re.DOTALL), "An escape of this kind is not supported in regular expressions"),
)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        flags = _FLAGS.match(pattern)
        assert flags
        self._at = flags.end()
        self._ignores_case = "i" in flags.group()

    def tokens(self) -> Iterator[Token]:
        while self._at < len(self._text):
            yield self._token()

    def _token(self) -> Token:
        if found := self._take(_REPEAT):
            return self._repeat(found)
        if self._take(_GROUP):
            return Symbol.OPEN
        if self._text.startswith("(?", self._at):
            self._refuse_by(_OTHER_GROUPS)
        if self._text.startswith("[", self._at):
            return Characters(self._bracket())
        width = 2 if self._text.startswith("\\", self._at) else 1
        symbol = _SYMBOLS.get(self._text[self._at : self._at + width])
        if symbol:
            self._at += width
            return symbol
        if ranges := self._class():
            return Characters(ranges)
        code = self._character()
        return Characters(self._folded(((code, code),)))

    def _take(self, syntax: re.Pattern[str]) -> re.Match[str] | None:
        found = syntax.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _repeat(self, found: re.Match[str]) -> Repeat:
        operator = found.group()
        if _REPEAT.match(self._text, self._at):
            _refuse("A repetition cannot be repeated without a group", self._text[found.start() : self._at + 1])
        if operator[0] != "{":
            return _REPEATS[operator[0]]
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if max(least, most or 0) > _LARGEST_BOUND:
            _refuse(f"A repetition in a regular expression is bounded by more than {_LARGEST_BOUND}", operator)
        if most is not None and least > most:
            _refuse("A repetition in a regular expression has its bounds in the wrong order", operator)
        return Repeat(least, most)

    def _bracket(self) -> Ranges:
        """Read `[…]`; a leading bracket is a member, and so is a hyphen that does not form a range."""
        start = self._at
        is_negated = self._text.startswith("[^", start)
        self._at = first = start + 1 + is_negated
        members: list[tuple[int, int]] = []
        while not self._text.startswith("]", self._at) or self._at == first:
            if self._at >= len(self._text):
                _refuse("A bracket in a regular expression is not closed", self._text[start : start + 20])
            members += self._posix_class() or self._class() or self._folded((self._range(),))
        self._at += 1
        return complement(union(members)) if is_negated else union(members)

    def _range(self) -> tuple[int, int]:
        start = self._at
        low = high = self._character()
        if self._text.startswith("-", self._at) and not self._text.startswith("]", self._at + 1):
            self._at += 1
            if self._at == len(self._text):
                _refuse("A bracket in a regular expression is not closed", self._text[start:])
            high = self._character()
        if low > high:
            _refuse("A range in a regular expression is in the wrong order", self._text[start : self._at])
        return low, high

    def _posix_class(self) -> Ranges | None:
        """Read `[:name:]`; without `:]` it is not a class, and its bracket is an ordinary member."""
        end = self._text.find(":]", self._at + 2)
        if not self._text.startswith("[:", self._at) or end < 0:
            return None
        name = self._text[self._at + 2 : end]
        ranges = POSIX_CLASSES.get(name.removeprefix("^"))
        if ranges is None:
            _refuse("A class of this name is not known in regular expressions", f"[:{name}:]")
        self._at = end + 2
        ranges = self._folded(ranges)
        return complement(ranges) if name.startswith("^") else ranges

    def _class(self) -> Ranges | None:
        if not self._text.startswith("\\", self._at):
            return None
        name = self._text[self._at + 1 : self._at + 2]
        ranges = CLASSES.get(name.lower())
        if ranges is None:
            return None
        self._at += 2
        ranges = self._folded(ranges)
        return complement(ranges) if name.isupper() else ranges

    def _character(self) -> int:
        """Read a literal character, or an escaped one."""
        character = self._text[self._at]
        if character != "\\":
            self._at += 1
            return ord(character)
        code = _NAMED_CHARACTERS.get(self._text[self._at : self._at + 2])
        if code is not None:
            self._at += 2
            return code
        found = _ESCAPE.match(self._text, self._at)
        if not found or (found[4] or "").isascii() is False:
            self._refuse_by(_OTHER_ESCAPES)
        hexadecimal = found[1] or found[2]
        code = int(hexadecimal, 16) if hexadecimal else int(found[3], 8) if found[3] else ord(found[4])
        if code > LAST:
            _refuse("There is no such character", found.group())
        self._at = found.end()
        return code

    def _folded(self, ranges: Ranges) -> Ranges:
        return ignore_case(ranges) if self._ignores_case else ranges

    def _refuse_by(self, reasons: tuple[tuple[re.Pattern[str], str], ...]) -> Never:
        for syntax, reason in reasons:
            if found := syntax.match(self._text, self._at):
                _refuse(reason, found.group())
        raise AssertionError("the last syntax matches everything")


def _refuse(reason: str, part: str) -> Never:
    """Raise an error with the part that cannot be used, its unprintable characters escaped."""
    shown = "".join(each if each.isprintable() else f"\\x{{{ord(each):x}}}" for each in part)
    raise RegularExpressionError(f"{reason}: {shown}")

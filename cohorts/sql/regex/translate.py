"""Translates regular expressions of criteria from RE2 to Postgres, with the same meaning (D54)."""

from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

from cohorts.sql.regex.automaton_size import AutomatonSize
from cohorts.sql.regex.character_sets import ANY, LAST, WORD_CHARACTERS, Ranges, complement, count_kinds
from cohorts.sql.regex.syntax import Assertion, Characters, RegularExpressionError, Repeat, Symbol, Token, read

__all__ = ["RegularExpressionError", "translate"]

#: The most repetitions in total.
_MOST_REPETITIONS: Final = 512
#: Postgres compiles so many in well under a second.
_MOST_ARCS: Final = 50_000


def translate(pattern: str) -> str:
    """Return the Postgres expression that matches the texts that RE2 matches in ClickHouse, where `.` is any character.

    It is pure ASCII and does not depend on the locale. Raises RegularExpressionError for expressions that RE2
    refuses, that Postgres does not support, or that Postgres would take long to compile.
    """
    tokens = list(read(pattern))
    whole = _Writer(tokens).write()
    if whole.repetitions > _MOST_REPETITIONS:
        raise _too_many_repetitions()
    if whole.size.arcs > _MOST_ARCS:
        raise RegularExpressionError(
            "A regular expression can match in too many ways: use fewer optional parts and fewer assertions."
        )
    if Assertion.NO_WORD_BOUNDARY in tokens and whole.size.conditional:
        # RE2 also matches it between the bytes of a character.
        raise RegularExpressionError(r"A regular expression with \B has to match at least one character.")
    return whole.text


@dataclass(frozen=True)
class _Part:
    """A part of a Postgres expression."""

    text: str
    size: AutomatonSize
    #: The repetitions in it: nested ones are multiplied, others added up.
    repetitions: int = 0
    #: Whether a repetition may follow.
    is_atom: bool = True
    is_group: bool = False


class _Writer:
    """Joins the parts of an expression, inner groups first, which needs no recursion."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        sets = {token.ranges for token in tokens if isinstance(token, Characters)}
        # Boundaries distinguish word characters from others.
        self._kinds, self._kinds_in = count_kinds([*sorted(sets), WORD_CHARACTERS])
        # The open groups, each a list of alternatives, each a list of parts.
        self._groups: list[list[list[_Part]]] = [[[]]]

    def write(self) -> _Part:
        for token in self._tokens:
            match token:
                case Symbol.OPEN:
                    self._groups.append([[]])
                case Symbol.OR:
                    self._groups[-1].append([])
                case Symbol.CLOSE:
                    self._close()
                case Repeat():
                    self._repeat(token)
                case Characters():
                    self._add(self._characters(token))
                case Assertion():
                    self._add(self._assertion(token))
        if len(self._groups) > 1:
            raise RegularExpressionError("A regular expression has an opening parenthesis without a closing one.")
        return _alternatives(self._groups.pop())

    def _add(self, part: _Part) -> None:
        self._groups[-1][-1].append(part)

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise RegularExpressionError("A regular expression has a closing parenthesis without an opening one.")
        inside = _alternatives(self._groups.pop())
        self._add(replace(inside, text=f"(?:{inside.text})", is_atom=True, is_group=True))

    def _repeat(self, repeat: Repeat) -> None:
        parts = self._groups[-1][-1]
        if not parts:
            raise RegularExpressionError("A repetition in a regular expression has nothing in front that it repeats.")
        self._add(_repeated(parts.pop(), repeat))

    def _characters(self, token: Characters) -> _Part:
        # Postgres copies the arc of each kind of character to all next characters; `.` has only one arc.
        last = 1 if token.ranges == ANY else self._kinds_in[token.ranges]
        return _Part(_write_set(token.ranges), AutomatonSize(first=1, last=last))

    def _assertion(self, token: Assertion) -> _Part:
        if token in _BOUNDARIES:
            # Postgres checks each pair of kinds around a boundary: a hundred take as long as one arc.
            return _Part(_BOUNDARIES[token], AutomatonSize(conditional=self._kinds, inner=self._kinds**2 // 100))
        # Two, so that many in a row are refused: their costs are multiplied, too.
        return _Part(token.value, AutomatonSize(conditional=2), is_atom=False)


def _alternatives(group: list[list[_Part]]) -> _Part:
    sequences = [
        _Part(
            "".join(part.text for part in parts),
            reduce(AutomatonSize.followed_by, [part.size for part in parts], AutomatonSize(is_optional=True)),
            sum(part.repetitions for part in parts),
            is_atom=False,
        )
        for parts in group
    ]
    return _Part(
        "|".join(part.text for part in sequences),
        reduce(AutomatonSize.alternated_with, [part.size for part in sequences]),
        sum(part.repetitions for part in sequences),
        is_atom=False,
    )


def _repeated(part: _Part, repeat: Repeat) -> _Part:
    least, most = repeat.least, repeat.most
    factor = max(least, most or 0, 2 if part.is_group and least == 0 else 1)
    repetitions = part.repetitions if factor == 1 else factor * max(part.repetitions, 1)
    if repetitions > _MOST_REPETITIONS:
        raise _too_many_repetitions()
    text = part.text if part.is_atom else f"(?:{part.text})"
    bounds = f"{least}" if least == most else f"{least}," if most is None else f"{least},{most}"
    return _Part(f"{text}{{{bounds}}}", part.size.repeated(least, most), repetitions, is_atom=False)


def _too_many_repetitions() -> RegularExpressionError:
    return RegularExpressionError(
        f"The repetitions in a regular expression come to more than {_MOST_REPETITIONS}:"
        " those that are nested are multiplied, the others added up."
    )


def _write_set(ranges: Ranges) -> str:
    if ranges == ANY:
        return "."
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _write_character(ranges[0][0])
    is_negated = not ranges or ranges[-1][1] == LAST
    members = "".join(
        _write_character(low) if low == high else f"{_write_character(low)}-{_write_character(high)}"
        for low, high in (complement(ranges) if is_negated else ranges)
    )
    return f"[^{members}]" if is_negated else f"[{members}]"


def _write_character(code: int) -> str:
    """Return a character as a literal, escaped if necessary, for use inside and outside of brackets."""
    character = chr(code)
    if character.isascii() and character.isalnum():
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


_WORD: Final = _write_set(WORD_CHARACTERS)
#: \y and \Y of Postgres also treat non-ASCII letters as word characters.
_BOUNDARIES: Final = {
    Assertion.WORD_BOUNDARY: f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    Assertion.NO_WORD_BOUNDARY: f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}

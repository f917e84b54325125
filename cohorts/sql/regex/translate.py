"""Regular expressions of RE2, which criteria are written in, as expressions of Postgres with the same meaning (D54)."""

from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

from cohorts.sql.regex.automaton_size import AutomatonSize
from cohorts.sql.regex.character_sets import ANY, LAST, WORD_CHARACTERS, Ranges, complement, count_kinds
from cohorts.sql.regex.syntax import Assertion, Characters, RegularExpressionError, Repeat, Symbol, Token, read

__all__ = ["RegularExpressionError", "translate"]

#: How often parts may be repeated in all.
_MOST_REPETITIONS: Final = 512
#: What Postgres compiles in well under a second.
_MOST_ARCS: Final = 50_000


def translate(pattern: str) -> str:
    """Return the Postgres expression that matches the texts that RE2 matches in ClickHouse, where `.` is any character.

    It is of ASCII alone and means the same in every locale. Raises RegularExpressionError for what RE2 refuses, for
    what Postgres cannot do, and for what Postgres would take long to compile.
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
        # RE2 finds such a place between the bytes of a character, too.
        raise RegularExpressionError(r"A regular expression with \B has to match at least one character.")
    return whole.text


@dataclass(frozen=True)
class _Part:
    """A piece of an expression of Postgres."""

    text: str
    size: AutomatonSize
    #: The bounds in it, multiplied where nested and added up else.
    repetitions: int = 0
    #: A repetition may follow.
    is_atom: bool = True
    is_group: bool = False


class _Writer:
    """Puts the parts of an expression together, inner groups first: so no depth of them needs recursion."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        sets = {token.ranges for token in tokens if isinstance(token, Characters)}
        # Boundaries tell word characters from others.
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
        # Postgres copies the arc of each kind to all that may follow; where every character is meant, it has one.
        last = 1 if token.ranges == ANY else self._kinds_in[token.ranges]
        return _Part(_write_set(token.ranges), AutomatonSize(first=1, last=last))

    def _assertion(self, token: Assertion) -> _Part:
        if token in _BOUNDARIES:
            # Postgres looks at each pair of kinds around a boundary: a hundred take as long as an arc.
            return _Part(_BOUNDARIES[token], AutomatonSize(conditional=self._kinds, inner=self._kinds**2 // 100))
        # Two, so that a long row of them is refused: what they cost is multiplied, too.
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
    """Write a character so that it has no other meaning, in brackets and outside."""
    character = chr(code)
    if character.isascii() and character.isalnum():
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


_WORD: Final = _write_set(WORD_CHARACTERS)
#: Postgres' own \y and \Y hold other letters than those of ASCII for word characters.
_BOUNDARIES: Final = {
    Assertion.WORD_BOUNDARY: f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    Assertion.NO_WORD_BOUNDARY: f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}

"""The size of the automaton of an expression: Postgres needs time to compile it that grows with its arcs."""

from dataclasses import dataclass, replace
from typing import Final, Self

#: More of them in a loop always make the automaton too large.
_MOST_CONDITIONS: Final = 20


@dataclass(frozen=True)
class AutomatonSize:
    """The arcs between the characters of an expression, and the counts from which larger expressions are computed.

    There is an arc for each path from one character to a possible next one: `a?b?c` has arcs from a to b and c, and
    from b to c. Assertions are conditions on a path: Postgres moves them along it and copies it, so that every
    combination of them is a separate path.
    """

    #: Whether the empty text matches without a condition.
    is_optional: bool = False
    #: The number of paths past all characters that have conditions.
    conditional: int = 0
    #: The numbers of paths to a first character, from a last one, and in between.
    first: int = 0
    last: int = 0
    inner: int = 0

    @property
    def arcs(self) -> int:
        return self.inner + self.first + self.last + self.conditional

    def followed_by(self, other: Self) -> Self:
        """Return the size of this expression followed by the other one."""
        is_optional = self.is_optional and other.is_optional
        past_self, past_other = self.conditional + self.is_optional, other.conditional + other.is_optional
        return replace(
            self,
            is_optional=is_optional,
            conditional=past_self * past_other - is_optional,
            first=self.first + past_self * other.first,
            last=other.last + past_other * self.last,
            inner=self.inner + other.inner + self.last * other.first,
        )

    def alternated_with(self, other: Self) -> Self:
        """Return the size of the alternative of this expression and the other one."""
        return replace(
            self,
            is_optional=self.is_optional or other.is_optional,
            conditional=self.conditional + other.conditional,
            first=self.first + other.first,
            last=self.last + other.last,
            inner=self.inner + other.inner,
        )

    def repeated(self, least: int, most: int | None) -> Self:
        """Return the size of the copies that Postgres makes: it writes `x{2,4}` as `((x)?x)?xx`, `x{3,}` as `x+xx`."""
        if most == 0:
            return replace(self, is_optional=True, conditional=0, first=0, last=0, inner=0)
        copies = self if most else self._looped()
        for _ in range(max(least, 1), most or 0):
            copies = copies.optional().followed_by(self)
        for _ in range(1, least):
            copies = copies.followed_by(self)
        return copies if least else copies.optional()

    def optional(self) -> Self:
        return replace(self, is_optional=True)

    def _looped(self) -> Self:
        """Return the size of `x+`, where each set of the conditions can occur between two characters."""
        ways = 2 ** min(self.conditional, _MOST_CONDITIONS)
        return replace(
            self,
            conditional=ways - 1,
            first=self.first * ways,
            last=self.last * ways,
            inner=self.inner + self.last * ways * self.first,
        )

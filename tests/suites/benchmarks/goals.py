"""The goal table: what was measured beside what is aimed at, a line a goal."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """One goal: a ratio that is to be at least `least`, or at most `most`; with neither it is only shown."""

    work: str
    ratio: float | None
    of: str
    least: float | None = None
    most: float | None = None
    #: What the ratio is of, with units.
    figures: dict[str, str] = field(default_factory=dict)
    is_later: bool = False
    #: The aim in words, where it is no ratio.
    said: str = ""

    @property
    def aim(self) -> str:
        if self.said:
            return self.said
        if self.least is not None:
            return f">= x{self.least:g} of {self.of}"
        return f"<= x{self.most:g} of {self.of}" if self.most is not None else f"of {self.of}"

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return "not yet"
        if self.least is None and self.most is None:
            return "reported"
        is_met = self.ratio >= self.least if self.least is not None else self.ratio <= (self.most or 0)
        return "pass" if is_met else "short"

    def line(self) -> str:
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        ratio = "-" if self.ratio is None or self.said else f"x{self.ratio:.2f}"
        return f"{self.work:34} {figures:46} {ratio:>8}   {self.aim:24} {self.verdict}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "aim": self.aim, "verdict": self.verdict}


def table(goals: Iterable[Goal]) -> str:
    """Return the lines, those of later goals last."""
    listed = list(goals)
    now, later = ([goal.line() for goal in listed if goal.is_later is is_later] for is_later in (False, True))
    return "\n".join([*(["Goals", *now] if now else []), *(["Later", *later] if later else [])])

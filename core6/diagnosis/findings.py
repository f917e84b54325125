"""What `doctor` and `verify` find: how something is, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """How something is, and what to do about it where it is not well."""

    name: str
    state: State
    message: str
    advice: str = ""
    #: How many rows break the rule that was checked, and the names of some of them.
    count: int = 0
    examples: list[str] = field(default_factory=list)


#: What a question yields: the state, how it is, what to do.
Report = tuple[State, str, str]


@dataclass(frozen=True)
class Question:
    """One thing to look at: its name, the function that looks, and whether that needs the database."""

    name: str
    look: Callable[[], Iterator[Report]]
    needs_database: bool = True

"""What a look at the server finds: how something is, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """How something is, and what to do about it where it is not well."""

    name: str
    state: State
    message: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the finding as `doctor --json` prints it."""
        return asdict(self)


#: What a question yields: the state, how it is, what to do.
Report = tuple[State, str, str]


@dataclass(frozen=True)
class Question:
    """One thing to look at: its name, the function that looks, and whether that needs the database."""

    name: str
    look: Callable[[], Iterator[Report]]
    needs_database: bool = True

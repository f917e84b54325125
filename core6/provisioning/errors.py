"""What is wrong with a provisioning file: each error is a line of its own that begins with its path."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from core6.terminal.suggestions import most_similar

#: The place of a value in the file: keys, and indexes from 0.
Location = tuple[str | int, ...]

_MOST_SHOWN: Final = 100


class WorldError(Exception):
    """The file is invalid; `lines` has one line for each error, with the path of the property.

    There are no lines if the cause is another error, which is reported already.
    """

    def __init__(self, *lines: str) -> None:
        # Names in the file may have line ends.
        self.lines = tuple(" ".join(line.splitlines()) for line in lines)
        rest = len(lines) - _MOST_SHOWN
        super().__init__("\n".join([*self.lines[:_MOST_SHOWN], *([f"and {rest} more errors"] if rest > 0 else [])]))


class Problems:
    """All errors of a file so far, and the names of what is missing because of them."""

    def __init__(self, lost: Iterable[str] = ()) -> None:
        self.lines: list[str] = []
        self._lost = {name.casefold() for name in lost}

    @contextmanager
    def collect(self, *names: str) -> Iterator[None]:
        """Note a WorldError of the block and go on after it; what has these names is then missing."""
        try:
            yield
        except WorldError as error:
            self.add(error)
            self._lost.update(name.casefold() for name in names)

    def add(self, error: WorldError) -> None:
        """Note an error, and go on."""
        self.lines += error.lines

    def missing(self, path: str, name: str, message: str) -> WorldError:
        """Return the error that a name in the file is unknown; without lines if another error is the cause.

        The name may be that of an organization and its project, with a slash between them.
        """
        folded = name.casefold()
        is_lost = any(
            folded == each or folded.startswith(f"{each}/") or folded.endswith(f"/{each}") for each in self._lost
        )
        return WorldError(*([] if is_lost else [f"{path}: {message}"]))

    def check(self) -> None:
        """Raise WorldError if there are errors."""
        if self.lines:
            raise WorldError(*self.lines)


class Flaw(NamedTuple):
    """An error of the file itself; the message names the last `named` parts of the location itself."""

    location: Location
    message: str
    named: int = 0

    @property
    def line(self) -> str:
        return error_line(dotted(self.location[: len(self.location) - self.named]), self.message)


def dotted(location: Location) -> str:
    """Return a location as text: `organizations[0].projects[1].timezone`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def error_line(path: str, message: str) -> str:
    """Return the line of an error; the path may be empty."""
    return f"{path}: {message}".removeprefix(": ")


def with_suggestion(message: str, given: object, known: Iterable[str]) -> str:
    """Return the message with `, did you mean …?`, if a known name is similar."""
    similar = most_similar(given, known)
    return f"{message.removesuffix('.')}, did you mean {similar}?" if similar else message

"""What the lab knows: in the memory of its one process, so that all clients see the same."""

from core6.lab.faults import Faults
from core6.lab.journal import Journal


class State:
    """Faults, journal and strictness; the clock is in a file, which all processes see."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew, ids included, so that no test leaks into the next."""
        self.faults = Faults()
        self.journal = Journal()
        self.is_strict = False

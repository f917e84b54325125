"""Tables for people: as wide as the terminal, with colour there; 140 characters of plain text elsewhere."""

import sys
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 140


def text_of(table: "Table") -> str:
    """Return the lines of a table for stdout."""
    from rich.console import Console  # noqa: PLC0415  # the import takes a while, and few commands need it

    is_terminal = sys.stdout.isatty()
    width = Console(file=sys.stdout).width if is_terminal else _WIDTH
    text = StringIO()
    Console(file=text, width=width, force_terminal=is_terminal).print(table)
    return text.getvalue().rstrip()

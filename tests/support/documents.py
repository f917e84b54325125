"""The files that a page of documentation contains."""

import re
from pathlib import Path

from core6.settings import BASE_DIR

README = BASE_DIR / "README.md"
OPERATION = BASE_DIR / "core6" / "docs" / "operation.md"

_FILE = re.compile(r"^File `([^`]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files(page: Path = OPERATION) -> dict[str, str]:
    """Return the text of each file by its path."""
    return dict(_FILE.findall(page.read_text()))


def changed(text: str, changes: dict[str, str]) -> str:
    """Return a text with other parts for some of its own, each of which must be there."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is gone from the documentation"
        text = text.replace(old, new)
    return text

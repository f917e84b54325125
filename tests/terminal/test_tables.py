import sys

import pytest
from rich.table import Table

from core6.terminal.tables import text_of
from tests.provisioning.test_people import Terminal


def table() -> Table:
    made = Table("what", "how")
    made.add_row("a", "word " * 60, style="red")
    return made


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_table_is_as_wide_as_the_terminal_and_has_colour(monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    text = text_of(table())
    assert "\x1b[31m" in text
    assert len(text.splitlines()[0]) == columns


def test_a_table_is_plain_text_elsewhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = text_of(table())
    assert "\x1b" not in text
    assert len(text.splitlines()[0]) == 140

"""The commands in the documentation: each exists and knows its options, and each that exists is named in README."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from core6.settings import BASE_DIR
from tests.support.documents import OPERATION, README

OURS = sorted(name for name, app in get_commands().items() if app == "core6")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
#: A command within text or within a line of the shell, with the rest of that.
_WHOLE = re.compile(r"manage\.py ([a-z]\w*)([^`\n;|&#]*)")
_SHORT = re.compile(rf"`({'|'.join(OURS)})\b([^`]*)`")
_MAKE = re.compile(r'make (run)\b[^`\n]*ARGS="([^"]*)"')


def parser(name: str) -> ArgumentParser:
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def mentions(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command that a text names, with the options that follow it."""
    text = text.replace("\\\n", " ")
    for found in (_WHOLE, _SHORT, _MAKE):
        for name, rest in found.findall(text):
            yield {"run": "serve"}.get(name, name), _OPTION.findall(rest)


def mistakes(text: str) -> list[str]:
    found = []
    for name, options in mentions(text):
        if name not in get_commands():
            found.append(f"there is no command {name}")
            continue
        known = parser(name)._option_string_actions
        found += [f"{name} does not know {option}" for option in options if option not in known]
    # An option alone, as in "(`--json`)", is one of some command.
    anybodys = {option for name in OURS for option in parser(name)._option_string_actions}
    alone = re.findall(r"`(--[a-z-]+)[^`]*`", text)
    return found + [f"no command knows {option}" for option in alone if option not in anybodys]


@pytest.mark.parametrize(
    "page", [README, OPERATION, OPERATION.with_name("lab.md"), BASE_DIR / "SECURITY.md"], ids=lambda page: page.name
)
def test_commands_and_options_in_the_documentation_exist(page: Path):
    assert len(list(mentions(page.read_text()))) >= 5
    assert mistakes(page.read_text()) == []


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_named_in_the_readme(name: str):
    assert name in {named for named, _ in mentions(README.read_text())}


@pytest.mark.parametrize("name", OURS)
def test_every_command_says_what_it_does(name: str):
    found = load_command_class("core6", name)
    assert found.help.endswith(".")
    assert len(parser(name).format_help()) > len(found.help)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `manage.py serve --no-worker` first.", []),
        ("Run `manage.py serve --no-workers` first.", ["serve does not know --no-workers"]),
        ("    manage.py backup FILE --froce\n", ["backup does not know --froce"]),
        ("    python manage.py backup \\\n        --froce\n", ["backup does not know --froce"]),
        ("`reset --safe` keeps a state", ["reset does not know --safe"]),
        ("`manage.py bakcup FILE`", ["there is no command bakcup"]),
        ("says it (`--jsno`)", ["no command knows --jsno"]),
        ('`make run ARGS="--redy-file x"`', ["serve does not know --redy-file"]),
        ("    manage.py reset   # not --anything\n", []),
        ("`manage.py migrate --check`; other --options", []),
    ],
)
def test_a_mistake_is_seen(text: str, expected: list[str]):
    assert mistakes(text) == expected

"""The command line: `core6 COMMAND` of the wheel, and `manage.py COMMAND` of a checkout, which are the same."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from core6.terminal import program
from core6.terminal.suggestions import most_similar

if TYPE_CHECKING:
    from django.core.management import BaseCommand

#: Commands of ours, in the order of `core6 --help`; Django's own work, too, but are not listed.
COMMANDS = (
    *("serve", "wait", "worker", "provision", "create_user", "createsuperuser"),
    *("create_api_key", "list_api_keys", "revoke_api_key"),
    *("reset", "backup", "restore", "doctor", "verify", "reencrypt_secrets", "migrate", "distribute"),
)


def main() -> None:
    """Run one command; a bad setting ends it with one line and exit code 1."""
    arguments = sys.argv[1:]
    program.find_packages()
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415  # after the path is set

    try:
        with _environment(arguments):
            if not arguments or arguments in (["help"], ["--help"], ["-h"]):
                sys.stdout.write(overview())
            elif arguments == ["--version"]:
                sys.stdout.write(f"Core6 {program.release()}\n")
            else:
                _run(arguments)
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")


@contextmanager
def _environment(arguments: list[str]) -> Iterator[None]:
    """Set what has to be there before the settings are read; at the end, remove the directory of `serve --fresh`."""
    if program.IS_CHECKOUT:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core6.settings")
    else:
        # The environment may be that of another Django project.
        os.environ["DJANGO_SETTINGS_MODULE"] = "core6.settings"
    if arguments[:1] == ["serve"] and "--lab" in arguments:
        os.environ["CORE6_IN_LAB"] = "true"
    if arguments[:1] == ["serve"] and "--fresh" in arguments:
        with TemporaryDirectory(prefix="core6-fresh-", ignore_cleanup_errors=True) as directory:
            os.environ["CORE6_DATA_DIR"] = directory
            yield
    else:
        yield


def _run(arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    if arguments[0] in COMMANDS:
        _refuse_unknown_options(*arguments)
    execute_from_command_line([program.NAME, *arguments])


def overview() -> str:
    """Return the text of `--help`: our commands with a line each."""
    width = max(map(len, COMMANDS))
    helps = {name: _command(name).help for name in COMMANDS}
    lines = [f"  {name:{width}}  {text.split(';')[0].split('. ')[0].rstrip('.')}" for name, text in helps.items()]
    return "\n".join(
        [
            f"Core6 {program.release()}: a server for projects, roles, annotations and cohorts of the PostHog API.",
            "",
            f"usage: {program.NAME} COMMAND [options]",
            "",
            *lines,
            "",
            f"`{program.NAME} COMMAND --help` shows the options of a command.",
            "",
        ]
    )


def _refuse_unknown_options(name: str, *arguments: str) -> None:
    """End the process with one line that names a similar option, if there is one."""
    parser = _command(name).create_parser(program.NAME, name)
    _, unknown = parser.parse_known_args(list(arguments))
    for option in (each.partition("=")[0] for each in unknown if each.startswith("--")):
        similar = most_similar(option, re.findall(r"--[a-z][a-z-]*", parser.format_help()))
        advice = f"did you mean {similar}?" if similar else f"`{program.NAME} {name} --help` lists the options."
        sys.exit(f"error: {name} has no option {option}: {advice}")


def _command(name: str) -> "BaseCommand":
    import django  # noqa: PLC0415
    from django.apps import apps  # noqa: PLC0415
    from django.core.management import get_commands, load_command_class  # noqa: PLC0415

    if not apps.ready:
        django.setup()
    return load_command_class(get_commands()[name], name)


if __name__ == "__main__":
    main()

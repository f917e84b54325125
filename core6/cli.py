"""The command line: `core6 COMMAND` of the wheel, and `manage.py COMMAND` of a checkout, which are the same."""

import difflib
import os
import re
import sys
import tempfile

from core6.terminal import program

#: Commands of ours, in the order of `core6 --help`; Django's own work, too, but are not listed.
COMMANDS = (
    *("serve", "wait", "worker", "provision", "create_user", "createsuperuser"),
    *("create_api_key", "list_api_keys", "revoke_api_key"),
    *("reset", "backup", "restore", "doctor", "verify", "reencrypt_secrets", "migrate", "distribute"),
)


def main() -> None:
    """Run one command; a bad setting ends it with one line and exit code 1."""
    arguments = sys.argv[1:]
    _prepare_environment(arguments)
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415  # after the path is set

    try:
        if not arguments or arguments in (["help"], ["--help"], ["-h"]):
            sys.stdout.write(overview())
        elif arguments == ["--version"]:
            sys.stdout.write(f"Core6 {program.release()}\n")
        else:
            from django.core.management import execute_from_command_line  # noqa: PLC0415

            if arguments[0] in COMMANDS:
                refuse_unknown_options(*arguments)
            execute_from_command_line([program.NAME, *arguments])
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")


def _prepare_environment(arguments: list[str]) -> None:
    program.find_packages()
    if program.IS_CHECKOUT:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core6.settings")
    else:
        # The environment may be that of another Django project.
        os.environ["DJANGO_SETTINGS_MODULE"] = "core6.settings"
    if arguments[:1] == ["serve"] and "--fresh" in arguments:
        # Before the settings are read. `serve` removes it.
        os.environ["CORE6_DATA_DIR"] = tempfile.mkdtemp(prefix="core6-fresh-")


def overview() -> str:
    """Return the text of `--help`: our commands with a line each."""
    import django  # noqa: PLC0415
    from django.core.management import get_commands, load_command_class  # noqa: PLC0415

    django.setup()
    apps = get_commands()
    width = max(map(len, COMMANDS))
    helps = {name: load_command_class(apps[name], name).help for name in COMMANDS}
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


def refuse_unknown_options(name: str, *arguments: str) -> None:
    """End the process with one line that names a similar option, if there is one."""
    import django  # noqa: PLC0415
    from django.core.management import get_commands, load_command_class  # noqa: PLC0415

    django.setup()
    parser = load_command_class(get_commands()[name], name).create_parser(program.NAME, name)
    _, unknown = parser.parse_known_args(list(arguments))
    for option in (each.partition("=")[0] for each in unknown if each.startswith("--")):
        known = re.findall(r"--[a-z][a-z-]*", parser.format_help())
        similar = difflib.get_close_matches(option, known, 1)
        advice = f"did you mean {similar[0]}?" if similar else f"`{program.NAME} {name} --help` lists the options."
        sys.exit(f"error: {name} has no option {option}: {advice}")


if __name__ == "__main__":
    main()

"""The base of all our commands, and how they reach the database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django.db import OperationalError

from core6.database.attached import attached
from core6.database.data_directory import Unusable
from core6.provisioning.world import WorldError
from core6.terminal.progress import progress


class CommandBase(BaseCommand):
    """A command whose help shows its own options, and not those that Django gives to every command."""

    requires_system_checks = ()
    suppressed_base_arguments: ClassVar[set[str]] = {  # type: ignore[misc]  # Django declares it for instances, too
        *("--version", "--verbosity", "--settings", "--pythonpath"),
        *("--traceback", "--no-color", "--force-color", "--skip-checks"),
    }

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Take options in full alone: `--lab` and `--fresh` are also searched for before the settings are read."""
        return super().create_parser(prog_name, subcommand, **{"allow_abbrev": False, **kwargs})


@contextmanager
def running_database() -> Iterator[None]:
    """Start the embedded database for the block, unless it runs; show errors in one line, as CommandError."""
    try:
        with ExitStack() as stack:
            if settings.IS_EMBEDDED:
                with progress("Waiting for the database"):
                    stack.enter_context(attached(settings.DATA_DIRECTORY))
            yield
    except (WorldError, Unusable, OperationalError) as error:
        raise readable(error) from error


def readable(error: Exception) -> Exception:
    """Return the error as CommandError, which is shown in one line, where people can do something about it."""
    if isinstance(error, Unusable | WorldError):
        return CommandError(str(error))
    return CommandError(unreachable(error)) if isinstance(error, OperationalError) else error


def unreachable(error: BaseException) -> str:
    """Return the sentence for a database that cannot be reached."""
    return f"the database cannot be reached: {' '.join(str(error).split())}"

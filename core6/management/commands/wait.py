"""`wait`: return when the server answers, for scripts that start it in the background."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from core6.management.base import CommandBase
from core6.serving.readiness import is_ready

_PAUSE_SECONDS = 0.05


class Command(CommandBase):
    """Polls the server; needs no database."""

    help = "Wait until the server answers and print its URL; exit code 1 after --timeout seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ready-file", metavar="FILE", help="the file of `serve --ready-file`, which has the URL")
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000", help="without --ready-file (default: http://127.0.0.1:8000)"
        )
        parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds (default: 60)")

    def handle(self, *args: Any, **options: Any) -> str:
        deadline = time.monotonic() + options["timeout"]
        while True:
            url = _url_in(Path(options["ready_file"])) if options["ready_file"] else options["url"].rstrip("/")
            if url and is_ready(url):
                return str(url)
            if time.monotonic() > deadline:
                what = url or f"{options['ready_file']}, which is not there yet,"
                raise CommandError(f"{what} did not answer within {options['timeout']:g} s: see what `serve` printed")
            time.sleep(_PAUSE_SECONDS)


def _url_in(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

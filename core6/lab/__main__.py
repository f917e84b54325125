"""`python -m core6.lab`: the process that listens in place of the web server, which `serve --lab` starts."""

import asyncio
import signal
from argparse import ArgumentParser
from typing import TYPE_CHECKING

import django

from core6.terminal import program

if TYPE_CHECKING:
    from core6.lab.front import Front


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = ArgumentParser(prog="python -m core6.lab", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="the URL of the web server")
    options = parser.parse_args()
    program.find_packages()
    django.setup()
    from core6.lab.front import Front  # noqa: PLC0415  # it needs the settings

    asyncio.run(_serve(Front(options.target), options.host, options.port))


async def _serve(front: "Front", host: str, port: int) -> None:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    await front.serve(host, port, end)


if __name__ == "__main__":
    main()

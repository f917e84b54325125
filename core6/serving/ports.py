"""Free ports to listen on."""

import socket

from core6.database.data_directory import Unusable


def free_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0; raises Unusable when it is taken.

    The web server shares ports silently, so that a second one on a busy port would start and answer every other call.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Unusable(
                f"{host}:{port} cannot be listened on ({reason}):"
                " choose another --port or --host (under make: PORT= or HOST=)"
            ) from error
        return int(probe.getsockname()[1])

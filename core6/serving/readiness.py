"""Whether a server answers, as seen by a client."""

import urllib.error
import urllib.request


def is_ready(url: str) -> bool:
    """Return whether the server at `url` answers requests; waits for 2 seconds at most."""
    try:
        with urllib.request.urlopen(f"{url}/_readyz", timeout=2) as answer:  # noqa: S310  # our own, or the user's
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False

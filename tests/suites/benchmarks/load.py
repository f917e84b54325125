"""Load by `wrk`: one path or many by turns, some connections, some milliseconds."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

_SCRIPT = Path(__file__).with_name("load.lua")
#: wrk gives up after this; the script ends it long before.
_LONGEST = 60


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    elapsed_ms: float
    p50_ms: float
    p99_ms: float


def require() -> None:
    """End with a sentence where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("error: wrk is missing: install the package 'wrk' (apt-get install wrk)")


def run(
    url: str,
    paths: Sequence[str],
    headers: dict[str, str],
    connections: int,
    milliseconds: int,
    method: str = "GET",
    body: str | None = None,
) -> Load:
    """Send requests to a server's paths by turns; every one of them must be answered, and not refused."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{_LONGEST}s"]
    command += ["--timeout", "30s", "--script", str(_SCRIPT)]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    with NamedTemporaryFile("w") as listed:
        listed.write("\n".join(paths) + "\n")
        listed.flush()
        command += [url + paths[0], "--", str(milliseconds), str(connections), method, listed.name]
        command += [body] if body is not None else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST + 30, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    refused, broken = figures.pop("refused"), figures.pop("broken")
    assert not refused, f"{url}{paths[0]}: {refused} requests were refused"
    assert not broken, f"{url}{paths[0]}: requests got no answer: {broken}"
    assert figures["requests"], f"{url}{paths[0]}: no request was answered"
    return Load(**figures)

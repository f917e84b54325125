"""One running server for every client, and what its user knows of it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.places import place
from tests.support.serving import LIGHT, Serve, serving

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def server() -> Iterator[Serve]:
    with place() as directory, serving(directory / "data", *LIGHT) as server:
        yield server
        assert server.complaints() == []


@pytest.fixture(scope="session")
def schema(server: Serve, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_schema(server, tmp_path_factory.mktemp("schema"))


@pytest.fixture(scope="session")
def environment(server: Serve) -> dict[str, str]:
    return environment_of(server)


def write_schema(server: Serve, directory: Path) -> Path:
    """Write the schema into a directory as its users get it: from the server."""
    file = directory / "schema.yml"
    with urlopen(f"{server.url}/api/schema/") as answer:
        file.write_bytes(answer.read())
    return file


def environment_of(server: Serve) -> dict[str, str]:
    """Return the environment in which the calling programs run."""
    return {
        "CORE6_URL": server.url,
        "CORE6_ORGANIZATION": server.printed("organization"),
        "CORE6_PROJECT": server.printed("project"),
        "POSTHOG_PERSONAL_API_KEY": server.printed("API key"),
    }


def run(*command: str | Path, cwd: Path, **given: str) -> str:
    """Run a program of this virtual environment, or of PATH, in a directory; return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment: Mapping[str, str] = {**os.environ, "PATH": path, **given}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout

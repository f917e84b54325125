"""Runs tests with pytest-core6, in a process of its own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from core6.settings import BASE_DIR
from tests.support.serving import PATIENCE

PLUGIN = BASE_DIR / "tests" / "plugin"


def run(suite: Path, temporary: Path, *arguments: str, **given: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest with the plugin, where the environment configures another application, too."""
    foreign = {"DATABASE_URL": "mysql://theirs", "ALLOWED_HOSTS": "theirs.example.com", "PYTHONPATH": str(PLUGIN)}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    server = shlex.join([sys.executable, str(BASE_DIR / "manage.py")])
    options = ("-p", "no:django", "-p", "no:cacheprovider", "-p", "pytest_core6", f"--core6-command={server}")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=suite,
        env={**inherited, **foreign, **given, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )


def python_in(page: Path) -> str:
    """Return all Python of a page of documentation, as one module."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))

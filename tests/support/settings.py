"""Runs code and commands with nothing of the settings in the environment but what a test gives."""

import os
import subprocess
import sys

from core6.management.environment import ENVIRONMENT
from core6.settings import BASE_DIR

#: As `openssl rand -base64 48` makes them.
SECRET = "q3JvYx0m7mB4u2m1JjS9hQd8c5nT6aWkRz+EoLfXgPyVbNiUsKHtD/Mw4rCe1pZG"
URL = {"DATABASE_URL": "postgres://core6:p@db.example:5432/core6"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` with nothing of the settings in the environment but what is given."""
    clean = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv = {['manage.py', *arguments]}; import manage; manage.main()"
    return python(code, **environment)

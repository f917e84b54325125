import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core6.settings import BASE_DIR, ENVIRONMENT


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


def test_readme_lists_every_setting_and_no_other():
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \|", (BASE_DIR / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(ENVIRONMENT)


def test_importing_the_settings_writes_nothing(tmp_path: Path):
    directory = tmp_path / "data"
    done = python("import core6.settings", CORE6_DATA_DIR=str(directory))
    assert done.returncode == 0, done.stderr
    assert not directory.exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DEBUG", "maybe", "DEBUG=maybe: use true or false"),
        ("WEB_WORKERS", "0", "WEB_WORKERS=0: use a whole number from 1"),
        ("WEB_WORKERS", "many", "WEB_WORKERS=many: use a whole number from 1"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL=LOUD: use DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL names no Postgres"),
        ("DATABASE_URL", "postgres://u:p@localhost:port/x", "DATABASE_URL is no address"),
        ("DATABASE_URL", "mysql://u:p@localhost/x", "DATABASE_URL names no Postgres"),
        ("DATABASE_URL", "postgres://u:p@localhost/x", "SECRET_KEY is required beside DATABASE_URL"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line(tmp_path: Path, name: str, value: str, told: str):
    code = "import sys; sys.argv = ['manage.py', 'check']; import manage; manage.main()"
    done = python(code, CORE6_DATA_DIR=str(tmp_path), **{name: value})
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("allowed", "told"), [("", "None None"), ("https://app.example", "https://app.example ETag")])
def test_cors_is_closed_unless_opened(tmp_path: Path, allowed: str, told: str):
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "headers = {'Origin': 'https://app.example', 'Access-Control-Request-Method': 'GET', 'Host': 'localhost',\n"
        "    'Access-Control-Request-Headers': 'if-match, idempotency-key'}\n"
        "asked = Client().options('/api/x/', headers=headers)\n"
        "read = Client().get('/api/x/', headers={'Origin': 'https://app.example', 'Host': 'localhost'})\n"
        "exposed = str(read.get('Access-Control-Expose-Headers')).split(', ')[0]\n"
        "assert 'idempotency-key' in asked.get('Access-Control-Allow-Headers', 'idempotency-key')\n"
        "print(asked.get('Access-Control-Allow-Origin'), exposed)"
    )
    given = {"DJANGO_SETTINGS_MODULE": "core6.settings", "SECRET_KEY": "x" * 50, "CORE6_DATA_DIR": str(tmp_path)}
    done = python(code, CORS_ALLOWED_ORIGINS=allowed, **given)
    assert done.stdout.strip() == told, done.stderr

import re
from pathlib import Path

import pytest

from core6.database import data_directory
from core6.management.environment import ENVIRONMENT
from core6.settings import BASE_DIR
from tests.support.sampling import sampled
from tests.support.settings import SECRET, URL, manage, python


def test_readme_lists_every_setting_and_no_other():
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \|", (BASE_DIR / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(ENVIRONMENT)


def test_importing_the_settings_writes_nothing(tmp_path: Path):
    directory = tmp_path / "data"
    done = python("import core6.settings", CORE6_DATA_DIR=str(directory))
    assert done.returncode == 0, done.stderr
    assert not directory.exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DEBUG", "maybe", "DEBUG=maybe: use true or false"),
        ("WEB_WORKERS", "0", "WEB_WORKERS=0: use a whole number from 1"),
        ("WEB_WORKERS", "many", "WEB_WORKERS=many: use a whole number from 1"),
        ("WEB_WORKERS", "\N{ARABIC-INDIC DIGIT THREE}", "use a whole number from 1"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL=LOUD: use DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL names no Postgres"),
        ("DATABASE_URL", "postgres://u:p@localhost:port/x", "DATABASE_URL is no address"),
        ("DATABASE_URL", "mysql://u:p@localhost/x", "DATABASE_URL names no Postgres"),
        ("DATABASE_URL", "postgres://u:p@localhost/x", "SECRET_KEY is required beside DATABASE_URL"),
        ("REPLICA_URL", "postgres://u:p@localhost/x", "REPLICA_URL is of use beside DATABASE_URL alone"),
        ("IS_BEHIND_POOLER", "true", "IS_BEHIND_POOLER is of use beside DATABASE_URL alone"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line(tmp_path: Path, name: str, value: str, message: str):
    done = manage("check", CORE6_DATA_DIR=str(tmp_path), **{name: value})
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("allowed", "expected"), [("", "None None"), ("https://app.example", "https://app.example ETag")]
)
def test_cors_is_closed_unless_opened(tmp_path: Path, allowed: str, expected: str):
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "headers = {'Origin': 'https://app.example', 'Access-Control-Request-Method': 'GET', 'Host': 'localhost',\n"
        "    'Access-Control-Request-Headers': 'if-match, idempotency-key'}\n"
        "response = Client().options('/api/x/', headers=headers)\n"
        "read = Client().get('/api/x/', headers={'Origin': 'https://app.example', 'Host': 'localhost'})\n"
        "exposed = str(read.get('Access-Control-Expose-Headers')).split(', ')[0]\n"
        "assert 'idempotency-key' in response.get('Access-Control-Allow-Headers', 'idempotency-key')\n"
        "print(response.get('Access-Control-Allow-Origin'), exposed)"
    )
    given = {"DJANGO_SETTINGS_MODULE": "core6.settings", "SECRET_KEY": "x" * 50, "CORE6_DATA_DIR": str(tmp_path)}
    done = python(code, CORS_ALLOWED_ORIGINS=allowed, **given)
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize(
    ("value", "message"),
    [("nonsense", "REPLICA_URL names no Postgres"), ("postgres://u:p@localhost:port/x", "REPLICA_URL is no address")],
)
def test_a_bad_address_of_a_replica_stops_the_start_with_one_line(tmp_path: Path, value: str, message: str):
    done = manage("check", CORE6_DATA_DIR=str(tmp_path), SECRET_KEY=SECRET, REPLICA_URL=value, **URL)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("is_behind_pooler", ["true", "false"])
def test_behind_a_pooler_nothing_is_the_sessions_own(tmp_path: Path, is_behind_pooler: str):
    code = (
        "from core6 import settings\n"
        "for options in (settings.WEB_CONNECTION_OPTIONS, settings.DATABASES['replica']['OPTIONS']):\n"
        "    print('options' in options, options['prepare_threshold'])\n"
        "for database in settings.DATABASES.values():\n"
        "    print(database['DISABLE_SERVER_SIDE_CURSORS'])"
    )
    replica = {"REPLICA_URL": "postgres://core6:p@replica.example/core6", "IS_BEHIND_POOLER": is_behind_pooler}
    done = python(code, SECRET_KEY=SECRET, CORE6_DATA_DIR=str(tmp_path), **URL, **replica)
    expected = "False None\nFalse None\nTrue\nTrue" if is_behind_pooler == "true" else "True 0\nTrue 0\nFalse\nFalse"
    assert done.stdout.strip() == expected, done.stderr


PROXY = {"IS_BEHIND_PROXY": "true", "ALLOWED_HOSTS": "core6.example"}


@pytest.mark.parametrize("deployment", sampled([URL, PROXY, {**URL, **PROXY}], 3))
def test_a_deployment_is_without_warnings(tmp_path: Path, deployment: dict[str, str]):
    given = {"SECRET_KEY": SECRET, "ENCRYPTION_KEYS": SECRET[::-1], "CORE6_DATA_DIR": str(tmp_path), **deployment}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **given)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_a_deployment_that_makes_its_own_secret_is_without_warnings(tmp_path: Path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", CORE6_DATA_DIR=str(tmp_path), **PROXY)
    assert done.returncode == 0, done.stderr


#: None of these must appear in the message.
WEAK = {
    "hunter2-hunter2": "it has 15 characters, fewer than {}",
    "django-insecure-" + SECRET: "it begins with django-insecure-",
    "changeme": "it is a placeholder",
    "change-me-" * 6: "it is a placeholder",
    "REPLACE_ME_" * 6: "it is a placeholder",
    "your-secret-goes-here-and-must-be-long-random-and-hidden": "it is a placeholder",
    "my-very-long-django-SECRET_KEY-that-everybody-has-read": "it is a placeholder",
    "abcd" * 20: "it has fewer than 5 distinct characters",
}


@pytest.mark.parametrize("weak", sampled(WEAK, 3))
@pytest.mark.parametrize("deployment", [URL, PROXY])
def test_a_weak_secret_stops_the_start_of_a_deployment(tmp_path: Path, deployment: dict[str, str], weak: str):
    for name, shortest in (("SECRET_KEY", 50), ("ENCRYPTION_KEYS", 32)):
        value = weak if name == "SECRET_KEY" else f"{SECRET},{weak}"
        done = manage("check", **{"SECRET_KEY": SECRET, "CORE6_DATA_DIR": str(tmp_path), **deployment, name: value})
        assert done.returncode == 1
        why = WEAK[weak].format(shortest)
        message = f"error: {name} is too weak: {why}; make one, for instance by `openssl rand -base64 48`"
        assert done.stderr.strip() == message


def test_a_weak_secret_will_do_where_nobody_else_calls(tmp_path: Path):
    for more in ({}, {"DEBUG": "true", **URL, **PROXY}):
        given = {"SECRET_KEY": "changeme", "ENCRYPTION_KEYS": "x,y", "CORE6_DATA_DIR": str(tmp_path), **more}
        done = manage("check", **given)
        assert done.returncode == 0, done.stderr


def test_the_secret_that_the_first_start_makes_is_no_weak_one(tmp_path: Path):
    data_directory.secret(tmp_path / "secret_key")
    done = manage("check", CORE6_DATA_DIR=str(tmp_path), **PROXY)
    assert done.returncode == 0, done.stderr

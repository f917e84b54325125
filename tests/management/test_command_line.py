"""The command line: what it lists, what it suggests, and which environment it reads."""

import argparse
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, CommandParser, call_command, get_commands, load_command_class
from django.db import connection
from django.test import override_settings

from core6.accounts.models import User
from core6.cli import COMMANDS
from core6.database.ownership import refuse_foreign_database
from core6.management import environment
from core6.settings import BASE_DIR
from tests.support.places import connect, place, somebody_elses_postgres, url_of
from tests.support.serving import manage, refusal
from tests.support.settings import SECRET, python

#: Commands of Django that ours extend keep the options that Django documents.
DJANGO: set[str] = {"migrate"}


class Recorder(CommandParser):
    """Keeps the arguments that a command adds."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        self.added: list[argparse.Action] = []

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        added = super().add_argument(*args, **kwargs)
        self.added.append(added)
        return added


def test_every_command_of_ours_is_listed_and_no_other(tmp_path: Path):
    files = {path.stem for path in (BASE_DIR / "core6/management/commands").glob("[a-z]*.py")}
    assert set(COMMANDS) == files
    for arguments in ((), ("--help",), ("help",)):
        done = manage(tmp_path / "none", *arguments)
        assert re.findall(r"^  (\w+)  ", done.stdout, re.MULTILINE) == list(COMMANDS)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_text_and_its_default(name: str):
    if name in DJANGO:
        return
    recorder = Recorder()
    load_command_class(get_commands()[name], name).add_arguments(recorder)
    for action in recorder.added:
        assert action.help, action.dest
        if action.default not in (None, False, [], argparse.SUPPRESS):
            assert f"(default: {str(action.default).removesuffix('.0')})" in action.help


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("serv",), "Did you mean serve?"),
        (("provison", "x"), "Did you mean provision?"),
        (("serve", "--prot", "1"), "did you mean --port?"),
        (("create_api_key", "--user", "a", "--label", "b", "--scopes", "*", "--organisation=x"), "--organization?"),
        (("wait", "--xyz"), "`manage.py wait --help` lists the options."),
    ],
)
def test_a_wrong_word_suggests_the_right_one(tmp_path: Path, arguments: tuple[str, ...], advice: str):
    done = manage(tmp_path / "none", *arguments)
    assert done.returncode == 1
    assert advice in done.stderr
    assert not (tmp_path / "none").exists()


def test_the_version_is_printed(tmp_path: Path):
    assert re.fullmatch(r"Core6 \S+\n", manage(tmp_path, "--version").stdout)


@pytest.mark.parametrize("name", environment.ENVIRONMENT)
def test_a_name_with_the_prefix_wins(name: str):
    prefixed, *rest = environment.names_of(name)
    assert prefixed == f"CORE6_{name.removeprefix('CORE6_')}"
    assert rest == ([] if prefixed == name else [name])


def test_a_setting_is_read_by_its_prefixed_name():
    code = "from core6 import settings; print(settings.LOG_LEVEL)"
    assert python(code, CORE6_LOG_LEVEL="info", LOG_LEVEL="nonsense").stdout == "INFO\n"
    assert "CORE6_LOG_LEVEL=LOUD" in python(code, CORE6_LOG_LEVEL="LOUD").stderr


def test_variables_for_another_postgres_do_not_reach_the_embedded_one():
    code = "from core6 import settings; import os; print([name for name in os.environ if name.startswith('PG')])"
    given = {"PGPASSWORD": "wrong", "PGHOST": "elsewhere", "PGSERVICE": "nonsense"}
    assert python(code, **given).stdout == "[]\n"


@pytest.fixture(scope="module")
def theirs() -> Iterator[Path]:
    """The database of another application, which has an app called projects."""
    with somebody_elses_postgres() as directory:
        with connect(directory) as connected:
            connected.execute("CREATE TABLE django_migrations (app text, name text)")
            connected.execute("INSERT INTO django_migrations VALUES ('projects', '0001_initial')")
        yield directory


@pytest.mark.parametrize("name", ["serve", "provision", "migrate", "reset"])
def test_a_database_of_another_application_is_refused(theirs: Path, name: str):
    with place() as parent:
        options = {"serve": ("--port", "0"), "provision": ("-",), "reset": ("--save", "--yes")}.get(name, ())
        given = {"DATABASE_URL": url_of(theirs), "SECRET_KEY": SECRET}
        message = refusal(parent / "none", name, *options, **given)
        assert "the database core6 belongs to another application" in message
        with connect(theirs) as connected:
            tables = connected.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables == (1,)


def test_a_database_of_an_application_with_an_app_called_accounts_is_refused(db: None):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_personalapikey RENAME TO accounts_profile")
    with pytest.raises(CommandError, match="belongs to another application"):
        refuse_foreign_database()


@pytest.mark.parametrize("name", ["create_user", "createsuperuser"])
def test_create_user_makes_one_who_can_log_in_to_the_console(
    name: str, transactional_db: None, monkeypatch: pytest.MonkeyPatch
):
    given = [name, "staff@example.com", *(["--staff"] if name == "create_user" else []), "--password", "-"]
    for typed, message in (("short\n", "too short"), ("a long secret word\n", ""), ("x\n", "is a user already")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        if message:
            with pytest.raises(CommandError, match=message):
                run_in_tests(*given)
        else:
            assert re.fullmatch(r"Created staff@example\.com \(id \d+\)\.\n", run_in_tests(*given))
    user = User.objects.get()
    assert user.is_staff
    assert user.check_password("a long secret word")


def run_in_tests(*arguments: str) -> str:
    """Run a command on the tests' own database, as DATABASE_URL would name it."""
    written = io.StringIO()
    with override_settings(IS_EMBEDDED=False, IS_SECRET_KEY_GENERATED=False):
        call_command(*arguments, stdout=written)
    return written.getvalue()

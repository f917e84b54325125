"""`manage.py backup` and `restore`: everything comes back, elsewhere too; what goes wrong changes nothing."""

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from django.core.management import CommandError
from django.db import connection

from core6.backup import dump as dumps
from core6.backup import restore as restoration
from core6.database import embedded
from core6.database.data_directory import Unusable
from core6.database.programs import programs as postgres_programs
from core6.management.commands import backup, restore
from core6.settings import BASE_DIR
from tests.suites.chaos.clients import Crowd, numbers_below
from tests.suites.chaos.stage import KEY, PERSONS, Stage, stage
from tests.support.places import connect, place
from tests.support.serving import LIGHT, MANAGE, environment, manage, refusal, serving, wait_until
from tests.support.settings import SECRET

#: Of the workers, not of the data.
_OF_THE_MOMENT = (
    "procrastinate_workers",
    "procrastinate_jobs",
    "procrastinate_events",
    "procrastinate_periodic_defers",
)
_TRIGGERS = "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
_FUNCTIONS = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


def contents(directory: Path) -> dict[str, Any]:
    """Return a digest of the rows of each table of the embedded database of a directory."""
    with connect(directory) as connected:
        tables = [name for (name,) in connected.execute(_TABLES) if name not in _OF_THE_MOMENT]
        assert len(tables) > 20
        digest = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t"
        return {name: connected.execute(digest.format(name).encode()).fetchone() for name in tables}


def key_of(directory: Path) -> str:
    return (directory / "secret_key").read_text()


def with_key_of(directory: Path, new: Path) -> Path:
    """Return a new data directory with the secret key of another."""
    new.mkdir()
    new.chmod(0o711)
    (new / "secret_key").write_text(key_of(directory))
    (new / "secret_key").chmod(0o600)
    return new


@dataclass
class Dump:
    """A backup, what the command printed, and what there was when it was made."""

    file: Path
    output: str
    contents: dict[str, Any]
    secret_token: str
    web: int
    static: int
    annotations: list[dict[str, Any]]


@pytest.fixture(scope="module")
def parent() -> Iterator[Path]:
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    with stage("--workers", "2") as made:
        yield made


@pytest.fixture(scope="module")
def dump(scene: Stage, parent: Path) -> Dump:
    """A backup of a server that runs and has a little of everything."""
    web = scene.projects["Jobs"]
    at = f"/api/projects/{web}"
    for number in range(3):
        note = {"content": f"note {number} 🦔 \\. \t", "scope": "project"}
        scene.ask("POST", f"{at}/annotations/", note, 201)
    static = {"name": "some", "is_static": True, "_create_static_person_ids": PERSONS[:5]}
    cohort = scene.ask("POST", f"{at}/cohorts/", static, 201)["id"]
    scene.ask("POST", f"{at}/cohorts/", {"name": "many", "filters": numbers_below(50)}, 201)
    for _ in range(2):
        token = scene.ask("PATCH", f"{at}/rotate_secret_token/", {})["secret_api_token"]
    scene.settle()
    annotations = scene.ask("GET", f"{at}/annotations/")["results"]
    file = parent / "quiet.dump"
    with connect(scene.directory) as connected:  # as a cluster has Citus
        connected.execute("CREATE EXTENSION hstore SCHEMA pg_catalog")
    before = os.umask(0)
    try:
        done = manage(scene.directory, "backup", str(file))
    finally:
        os.umask(before)
    assert (done.returncode, done.stderr) == (0, ""), done
    return Dump(file, done.stdout, contents(scene.directory), token, web, cohort, annotations)


@pytest.fixture(scope="module")
def real_server() -> Iterator[Path]:
    """Somebody else's Postgres: the data directory of one that these tests own."""
    with place() as made:
        server = embedded.Server(made / "elsewhere", is_durable=False)
        server.start()
        yield server.directory
        server.stop()


@pytest.fixture(scope="module")
def password(real_server: Path) -> str:
    return (real_server / "pgpass").read_text().strip().rsplit(":", 1)[1]


@pytest.fixture(scope="module")
def moved(scene: Stage, dump: Dump, parent: Path, real_server: Path, password: str) -> dict[str, str]:
    """The backup restored into a real server; returns the environment of its commands."""
    url = f"postgres://core6:{quote(password, safe='')}@/{embedded.socket_directory(real_server)}/core6"
    given = {"DATABASE_URL": url, "SECRET_KEY": key_of(scene.directory).strip()}
    done = manage(parent / "none", "restore", str(dump.file), **given)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith(f"The database is that of {dump.file} again. All ")
    return given


def test_a_backup_says_what_to_keep_beside_it(scene: Stage, dump: Dump):
    assert stat.S_IMODE(dump.file.stat().st_mode) == 0o600
    assert not dump.file.with_name("quiet.dump.part").exists()
    first, second = dump.output.strip().splitlines()
    assert first.startswith(f"{dump.file} holds the database (")
    assert first.endswith(f"). To bring it back: manage.py restore {dump.file}")
    assert f"Keep {scene.directory / 'secret_key'} in another place" in second


def test_a_backup_leaves_extensions_out(dump: Dump):
    """Another server may not have them, and a role that restores may not make them."""
    programs = postgres_programs()
    assert programs
    listed = subprocess.run(
        [programs / "pg_restore", "--list", dump.file], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA public django_migrations" in listed
    assert "EXTENSION" not in listed
    assert "hstore" not in listed


def test_restore_brings_everything_back(scene: Stage, dump: Dump, parent: Path):
    directory = with_key_of(scene.directory, parent / "again")
    done = manage(directory, "restore", str(dump.file))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "checks hold" in done.stdout
    with serving(directory, *LIGHT) as server:
        assert contents(directory) == dump.contents
        at = f"/api/projects/{dump.web}"
        status, project = server.call("GET", f"{at}/", key=KEY)
        assert (status, project["secret_api_token"]) == (200, dump.secret_token)
        status, rows = server.call("GET", f"{at}/annotations/", key=KEY)
        assert rows["results"] == dump.annotations
        status, persons = server.call("GET", f"{at}/cohorts/{dump.static}/persons/", key=KEY)
        assert status == 200
        assert len(persons["results"]) == 5
        status, made = server.call("POST", f"{at}/annotations/", {"content": "new", "scope": "project"}, KEY)
        assert status == 201
        assert made["id"] > max(row["id"] for row in dump.annotations)


@pytest.mark.whole
def test_a_backup_under_load_is_whole(scene: Stage, parent: Path):
    own = [scene.projects[f"Client {number}"] for number in range(4)]
    crowd = Crowd(scene.address, KEY, own, scene.organization, PERSONS)
    crowd.start()
    try:
        wait_until(lambda: crowd.acknowledged >= 40, "writes")
        done = manage(scene.directory, "backup", str(parent / "loaded.dump"))
        assert done.returncode == 0, done
        before = crowd.acknowledged
        wait_until(lambda: crowd.acknowledged >= before + 20, "writes afterwards")
    finally:
        crowd.stop()
    assert [str(call) for call in crowd.calls if call.status is None or call.status >= 500] == []
    copy = with_key_of(scene.directory, parent / "loaded")
    done = manage(copy, "restore", str(parent / "loaded.dump"))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "checks hold" in done.stdout


@pytest.mark.whole
def test_a_real_server_has_it_all(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    assert contents(real_server) == dump.contents
    file = parent / "from-real.dump"
    done = manage(parent / "none", "backup", str(file), **moved)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "Keep the value of SECRET_KEY in another place" in done.stdout
    again = manage(parent / "none", "restore", "--force", str(file), **moved)
    assert again.returncode == 0, again
    assert contents(real_server) == dump.contents
    assert not (parent / "none").exists()


def test_triggers_come_back_as_they_were_enabled(scene: Stage, moved: dict[str, str], real_server: Path):
    """Numbers of revisions come back, too, and no others: `contents` has that table like every other."""
    with connect(scene.directory) as ours, connect(real_server) as theirs:
        for definitions in (_FUNCTIONS, _CONSTRAINTS, _INDEXES, _SCHEMAS):
            assert theirs.execute(definitions).fetchall() == ours.execute(definitions).fetchall() != []
        expected = ours.execute(_TRIGGERS).fetchall()
        assert theirs.execute(_TRIGGERS).fetchall() == expected
    assert ("roles_role", "revise_on_truncate", "A") in expected


@pytest.mark.whole
def test_restore_replaces_nothing_without_force(
    dump: Dump, moved: dict[str, str], real_server: Path, parent: Path, scene: Stage
):
    message = refusal(parent / "none", "restore", str(dump.file), **moved)
    assert "holds organizations already: replace everything in it with --force" in message
    with connect(real_server):
        message = refusal(parent / "none", "restore", "--force", str(dump.file), **moved)
        assert "the database has other connections (1): stop `serve`" in message
    assert contents(real_server) == dump.contents
    message = refusal(scene.directory, "restore", "--force", str(dump.file))
    assert f"process {scene.server.process.pid} uses {scene.directory}: stop it" in message
    assert scene.server.is_answering()


@pytest.mark.whole
def test_a_damaged_backup_changes_nothing(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    file = parent / "cut.dump"
    whole = dump.file.read_bytes()
    assert whole.count(b"PGDMP") == 1
    with connect(real_server) as connected:
        connected.execute("CREATE TABLE of_somebody_else AS SELECT 1 AS kept")
    try:
        before = contents(real_server)
        for length in (len(whole) - 1, len(whole) - 2000):
            file.write_bytes(whole[:length])
            message = refusal(parent / "none", "restore", "--force", str(file), **moved)
            assert f"{file} is damaged: take another" in message
            assert contents(real_server) == before
    finally:
        with connect(real_server) as connected:
            connected.execute("DROP TABLE of_somebody_else")


@pytest.mark.whole
def test_tables_of_a_newer_release_go(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    with connect(real_server) as connected:
        connected.execute("CREATE TABLE newer (project_id bigint REFERENCES projects_project)")
    done = manage(parent / "none", "restore", "--force", str(dump.file), **moved)
    assert done.returncode == 0, done
    assert contents(real_server) == dump.contents


@pytest.mark.whole
def test_a_backup_of_an_older_release_is_brought_up_to_date(
    dump: Dump, moved: dict[str, str], real_server: Path, parent: Path
):
    assert manage(parent / "none", "migrate", "rate_limits", "zero", **moved).returncode == 0
    older = contents(real_server)
    assert "rate_limits_window" not in older
    file = parent / "older.dump"
    assert manage(parent / "none", "backup", str(file), **moved).returncode == 0
    assert contents(real_server) == older
    done = manage(parent / "none", "restore", "--force", str(file), **moved)
    assert done.returncode == 0, done
    assert set(contents(real_server)) == set(dump.contents)


def test_a_backup_of_a_newer_release_is_refused(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    with connect(real_server) as connected:
        connected.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('cohorts', '0999_next', now())")
    file = parent / "newer.dump"
    assert manage(parent / "none", "backup", str(file), **moved).returncode == 0
    with connect(real_server) as connected:
        connected.execute("DELETE FROM django_migrations WHERE name = '0999_next'")
    before = contents(real_server)
    message = refusal(parent / "none", "restore", "--force", str(file), **moved)
    assert f"{file} is of a newer release, which has cohorts.0999_next" in message
    assert contents(real_server) == before


def test_restore_names_secrets_of_another_key(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    given = {**moved, "SECRET_KEY": SECRET}
    message = refusal(parent / "none", "restore", "--force", str(dump.file), **given)
    assert "the data are restored, but the secrets in them were encrypted with another key" in message
    assert "bring back SECRET_KEY or ENCRYPTION_KEYS of the server" in message


def test_an_account_without_rights_changes_nothing(
    dump: Dump, moved: dict[str, str], real_server: Path, parent: Path, password: str
):
    with connect(real_server) as connected:
        connected.execute(f"CREATE ROLE guest LOGIN PASSWORD '{password}'")
        connected.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest")
    before = contents(real_server)
    given = {**moved, "DATABASE_URL": moved["DATABASE_URL"].replace("core6:", "guest:", 1)}
    message = refusal(parent / "none", "restore", "--force", str(dump.file), **given)
    assert "nothing was changed, since the database refuses" in message
    assert "must be owner of schema public" in message
    assert contents(real_server) == before


@pytest.mark.whole
def test_an_owner_of_a_database_needs_no_more_rights(
    dump: Dump, moved: dict[str, str], real_server: Path, parent: Path, password: str
):
    with connect(real_server, "postgres") as connected:
        connected.autocommit = True
        connected.execute(f"CREATE ROLE plain LOGIN PASSWORD '{password}'")
        connected.execute("CREATE DATABASE plain OWNER plain")
    url = moved["DATABASE_URL"].replace("core6:", "plain:", 1).removesuffix("core6") + "plain"
    for force in ((), ("--force",)):
        done = manage(parent / "none", "restore", *force, str(dump.file), **{**moved, "DATABASE_URL": url})
        assert (done.returncode, done.stderr) == (0, ""), done


def test_a_pooler_is_refused(dump: Dump, moved: dict[str, str], real_server: Path, parent: Path):
    message = refusal(parent / "none", "restore", "--force", str(dump.file), **moved, IS_BEHIND_POOLER="true")
    assert "DATABASE_URL is of a pooler: give the address of the database" in message


def pg_dump_of(parent: int) -> psutil.Process | None:
    """Return the child that dumps; Python itself may have others for a moment."""
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):
            if "pg_dump" in child.name():
                return child
    return None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
@pytest.mark.whole
def test_an_interrupted_backup_leaves_no_file(
    dump: Dump, moved: dict[str, str], real_server: Path, password: str, number: signal.Signals, code: int
):
    """It waits for a lock, so that its process can be looked at, too."""
    file, part, nowhere = (dump.file.with_name(name) for name in ("broken.dump", "broken.dump.part", "none"))
    with connect(real_server) as connected:
        connected.execute("LOCK TABLE annotations_annotation")
        running = subprocess.Popen(
            [*MANAGE, "backup", str(file)],
            cwd=BASE_DIR,
            env=environment(nowhere, moved),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        child = wait_until(lambda: pg_dump_of(running.pid), "pg_dump")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                assert not any(password in argument for argument in process.cmdline())
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        if number == signal.SIGTERM:
            message = refusal(nowhere, "backup", str(file), **moved)
            assert f"{part} is being written by another backup" in message
        running.send_signal(number)
        _, output = running.communicate(timeout=20)
        assert running.returncode == code, output
        assert output == ("" if code < 0 else f"CommandError: stopped: {file} was not written\n")
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "end of pg_dump")
    assert not file.exists()
    assert part.exists() == (number == signal.SIGKILL)


@pytest.mark.whole
def test_what_a_killed_backup_left_is_begun_anew(dump: Dump, moved: dict[str, str]):
    file, part, nowhere = (dump.file.with_name(name) for name in ("anew.dump", "anew.dump.part", "none"))
    file.write_text("something else")
    part.write_bytes(b"x" * 10_000_000)
    part.chmod(0o644)
    message = refusal(nowhere, "backup", str(file), **moved)
    assert f"{file} exists: choose another FILE, or replace it with --force" in message
    assert file.read_text() == "something else"
    assert manage(nowhere, "backup", "--force", str(file), **moved).returncode == 0
    assert file.read_bytes()[:5] == b"PGDMP"
    assert file.stat().st_size < 10_000_000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not part.exists()


@pytest.mark.parametrize(
    ("keys", "is_generated", "named"),
    [
        (["x"], True, "the value of ENCRYPTION_KEYS"),
        ([], True, "/data/secret_key"),
        ([], False, "the value of SECRET_KEY"),
    ],
)
def test_the_secret_to_keep_is_named(settings: Any, keys: list[str], is_generated: bool, named: str):
    settings.ENCRYPTION_KEYS, settings.IS_SECRET_KEY_GENERATED = keys, is_generated
    settings.DATA_DIRECTORY = Path("/data")
    assert f"Keep {named} in another place" in backup.key_advice()


def refused(command: Any, *arguments: str, **options: Any) -> str:
    """Return what a command, run in this process, is refused with before it looks at any embedded."""
    with pytest.raises(CommandError) as caught:
        command.Command().handle(file=arguments[0], force=False, **options)
    return str(caught.value)


def test_places_that_cannot_be_written_are_refused(tmp_path: Path, settings: Any, db: None):
    settings.DATA_DIRECTORY = tmp_path / "data"
    settings.IS_EMBEDDED = True
    assert refused(backup, "x") == f"there is no database in {tmp_path / 'data'}: nothing to back up"
    assert not (tmp_path / "data").exists()
    settings.IS_EMBEDDED = False
    assert refused(backup, str(tmp_path)) == f"{tmp_path} is a directory: name a file in it"
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    assert f"{link} exists" in refused(backup, str(link))
    assert "cannot be read: No such file or directory" in refused(restore, str(tmp_path / "missing"))
    assert "cannot be read: Is a directory" in refused(restore, str(tmp_path))
    missing = "missing/x.part cannot be written (No such file or directory)"
    assert missing in refused(backup, str(tmp_path / "missing" / "x"))
    (tmp_path / "y.part").symlink_to("nowhere")
    assert "y.part cannot be written" in refused(backup, str(tmp_path / "y"))


@pytest.mark.parametrize("content", [b"", b"PGDMP", b"SELECT 1;\n", b"\0" * 5000, b"PGDMP\x01\x10\x00\x04\x08"])
def test_a_file_that_is_no_backup_is_refused(tmp_path: Path, db: None, content: bytes):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=r"is no whole backup: name a file that `manage\.py backup` wrote \(.+\)$"):
        dumps.known_contents(file)


def test_dumps_of_others_are_refused(tmp_path: Path, db: None, dump: Dump):
    dumps.known_contents(dump.file)
    file = tmp_path / "file"
    given = {**dumps.environment(), "PGDATABASE": "postgres"}
    subprocess.run(backup.command(file), env=given, check=True)
    with pytest.raises(CommandError, match="is a dump of another application"):
        dumps.known_contents(file)
    # The version of the format, which follows the name.
    file.write_bytes(b"PGDMP\x01\xff" + dump.file.read_bytes()[7:])
    with pytest.raises(CommandError, match="was written by a newer PostgreSQL than reads it here"):
        dumps.known_contents(file)


def test_programs_get_no_secret_by_argument(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PGPORT", "1")
    given = dumps.environment()
    where = connection.settings_dict
    assert given["PGHOST"] == where["HOST"]
    assert given["PGDATABASE"] == where["NAME"]
    assert given["PGUSER"] == where["USER"]
    assert given.get("PGPORT", "5432") == "5432"
    assert "PGPASSFILE" in given or "PGPASSWORD" in given
    arguments = " ".join([*backup.command(tmp_path), *restoration.command(tmp_path, tmp_path)])
    # A checkout may have the name of the user.
    rest = arguments.replace(str(BASE_DIR), "").replace(str(tmp_path), "")
    for secret in ("PGPASSFILE", "PGPASSWORD", "PGHOST", "PGUSER"):
        assert given.get(secret, "-none-") not in rest


def test_a_newer_server_needs_newer_programs(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    server = connection.cursor().connection.info.server_version // 10000
    wheel = postgres_programs()
    assert wheel
    assert dumps.program("pg_dump") == str(wheel / "pg_dump")
    monkeypatch.setattr("core6.backup.dump.major_version", lambda: server - 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match=f"the server is PostgreSQL {server} and there is no pg_dump on PATH: inst"):
        dumps.program("pg_dump")
    fake = tmp_path / "pg_dump"
    for version, is_enough in ((server - 1, False), (server, True), (server + 1, True)):
        fake.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.3'\n")
        fake.chmod(0o755)
        if is_enough:
            assert dumps.program("pg_dump") == str(fake)
        else:
            with pytest.raises(CommandError, match=rf"is of pg_dump \(PostgreSQL\) {version}\.3: install"):
                dumps.program("pg_dump")
    monkeypatch.setattr("core6.backup.dump.programs", lambda: None)
    assert dumps.program("pg_dump") == str(fake)


def test_the_reason_is_what_was_complained_of_first():
    output = b"pg_dump: detail: x\npg_dump: error: connection failed\npg_dump: error: more\n"
    assert dumps.reason(output) == "error: connection failed"
    assert dumps.reason(b"psql:<stdin>:7: ERROR:  must be owner\n") == "ERROR:  must be owner"
    assert dumps.reason(b"") == "no output"


def test_a_directory_of_another_postgres_says_how_to_move():
    with place() as directory:
        server = embedded.Server(directory)
        server.data.mkdir()
        (server.data / "PG_VERSION").write_text("17\n")
        with pytest.raises(Unusable) as caught:
            server.start()
    for part in ("`manage.py backup FILE` with the old release", "`manage.py restore FILE` with this one"):
        assert part in str(caught.value)


def test_jobs_that_ran_are_done_again(db: None):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        (worker,) = cursor.fetchone()
        for task, lock in (("computes", None), ("comes round", "comes round"), ("waits", None)):
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, queueing_lock) VALUES ('q', %s, %s, %s)",
                [task, json.dumps({}), lock],
            )
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE task_name <> 'waits'", [worker]
        )
        for statement in dumps.QUEUE_AGAIN:
            cursor.execute(statement)
        cursor.execute("SELECT task_name, status::text, worker_id FROM procrastinate_jobs ORDER BY 1")
        assert cursor.fetchall() == [("computes", "todo", None), ("waits", "todo", None)]
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        assert cursor.fetchone() == (0,)

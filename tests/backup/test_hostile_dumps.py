"""`manage.py restore` of a file by somebody who means harm: nothing of it runs, and what is not ours is refused."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core6.database import embedded
from core6.database.programs import programs as postgres_programs
from tests.backup.test_backup import contents
from tests.support.places import connect, place, somebody_elses_postgres, url_of
from tests.support.sampling import sampled
from tests.support.serving import manage, refusal
from tests.support.settings import SECRET

#: Runs a command of the operating system, which leaves a file.
_HARM = "CREATE TEMP TABLE IF NOT EXISTS x (y text); COPY x FROM PROGRAM 'touch {marker}';"
#: Under names of our own, so that the table of contents does not show it.
_HIDDEN = f"""
CREATE FUNCTION revise_everywhere(bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN {_HARM} RETURN true; END$$;
CREATE OR REPLACE FUNCTION revise_accounts_user() RETURNS trigger LANGUAGE plpgsql
    AS $$BEGIN {_HARM} RETURN NULL; END$$;
CREATE TRIGGER harm BEFORE INSERT ON revisions_revision EXECUTE FUNCTION revise_accounts_user();
ALTER TABLE revisions_revision ADD CONSTRAINT harm CHECK (revise_everywhere(number));
ALTER TABLE revisions_revision ALTER number SET DEFAULT revise_everywhere(1)::int;
"""
_FUNCTIONS = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2"""
#: What makes something that is not ours, what removes it, and what the refusal names.
_FOREIGN = [
    ("CREATE TABLE alien AS SELECT 1 AS x", "DROP TABLE alien", "TABLE alien"),
    ("CREATE SEQUENCE alien", "DROP SEQUENCE alien", "SEQUENCE alien"),
    (
        "CREATE FUNCTION alien() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION alien",
        "FUNCTION alien",
    ),
    ("CREATE VIEW alien AS SELECT 1 AS x", "DROP VIEW alien", "VIEW alien"),
    ("CREATE TYPE alien AS ENUM ('x')", "DROP TYPE alien", "TYPE alien"),
    ("CREATE SCHEMA alien CREATE TABLE accounts_user (x int)", "DROP SCHEMA alien CASCADE", "accounts_user"),
    (
        "CREATE RULE alien AS ON DELETE TO accounts_user DO ALSO SELECT 1",
        "DROP RULE alien ON accounts_user",
        "RULE accounts_user",
    ),
]


@dataclass
class Target:
    """Somebody else's server with our tables, a new file for dumps, and a file that only harm makes."""

    directory: Path
    parent: Path
    given: dict[str, str]

    @property
    def file(self) -> Path:
        return self.parent / "made.dump"

    @property
    def marker(self) -> Path:
        return self.parent / "m"

    def execute(self, statements: str) -> None:
        with connect(self.directory) as connected:
            connected.execute(statements.encode())

    def back_up(self) -> None:
        done = manage(self.parent / "none", "backup", "--force", str(self.file), **self.given)
        assert done.returncode == 0, done
        self.marker.unlink(missing_ok=True)

    def functions(self) -> list[tuple[str, str]]:
        with connect(self.directory) as connected:
            return connected.execute(_FUNCTIONS).fetchall()

    def refused(self) -> str:
        """Return what the file is refused with, of which nothing may have run."""
        before = contents(self.directory)
        message = refusal(self.parent / "none", "restore", "--force", str(self.file), **self.given)
        assert "nothing was changed" in message
        assert contents(self.directory) == before
        assert not self.marker.exists()
        with connect(self.directory) as connected:
            beside = "SELECT count(*) FROM pg_namespace WHERE nspname = 'public_being_restored'"
            assert connected.execute(beside).fetchone() == (0,)
        return message


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with place() as parent, somebody_elses_postgres() as directory:
        parent.chmod(0o777)  # the server may run as another account
        made = Target(directory, parent, {"DATABASE_URL": url_of(directory), "SECRET_KEY": SECRET})
        assert manage(parent / "none", "migrate", **made.given).returncode == 0
        yield made


@pytest.mark.parametrize(("made", "removed", "named"), sampled(_FOREIGN, 14))
def test_what_is_not_ours_is_refused(target: Target, made: str, removed: str, named: str):
    target.execute(made)
    try:
        target.back_up()
    finally:
        target.execute(removed)
    message = target.refused()
    assert "holds what no release of this application makes" in message
    assert named in message


@pytest.mark.parametrize(
    ("ours", "forged"),
    sampled(
        [
            (
                rb"COPY public\.accounts_user \([^)]+\) FROM stdin;\n",
                "COPY public.accounts_user FROM PROGRAM 'touch {}';",
            ),
            (
                rb"COPY public\.accounts_user \([^)]+\) FROM stdin;\n",
                "COPY public.accounts_membership (id) FROM stdin;",
            ),
            (rb"SELECT pg_catalog\.setval\('public\.accounts_user_id_seq[^;]+;\n", "DROP TABLE public.accounts_user;"),
        ],
        3,
    ),
)
def test_a_forged_statement_of_an_entry_is_refused(target: Target, ours: bytes, forged: str):
    target.back_up()
    whole = target.file.read_bytes()
    (found,) = re.findall(ours, whole)
    text = forged.format(target.marker).encode()
    assert len(text) < len(found)
    target.file.write_bytes(whole.replace(found, text.ljust(len(found) - 1) + b"\n"))
    assert "is damaged: take another" in target.refused()


def test_hidden_code_does_not_run(target: Target):
    """It is in a table's checks and defaults, and in functions that have the names of ours."""
    ours = target.functions()
    target.execute(_HIDDEN.replace("{marker}", str(target.marker)))
    target.back_up()
    # It does run where the file is restored as dumps usually are.
    programs = postgres_programs()
    assert programs
    with connect(target.directory, "postgres") as connected:
        connected.autocommit = True
        connected.execute("CREATE DATABASE careless")
    where = embedded.connection_settings(target.directory)
    given = {"PGHOST": where["HOST"], "PGUSER": where["USER"], "PGPASSFILE": where["OPTIONS"]["passfile"]}
    careless = [str(programs / "pg_restore"), "--dbname=careless", str(target.file)]
    done = subprocess.run(careless, env=given, check=False, capture_output=True, text=True)
    assert target.marker.exists(), done.stderr
    target.marker.unlink()
    done = manage(target.parent / "none", "restore", "--force", str(target.file), **target.given)
    assert done.returncode == 0, done
    assert not target.marker.exists()
    assert target.functions() == ours
    target.execute("INSERT INTO revisions_revision (organization_id, number) VALUES (gen_random_uuid(), 1)")
    assert not target.marker.exists()

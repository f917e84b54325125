"""Bring back a dump's rows and the positions of its sequences, and run nothing that stands in it.

Whoever wrote the file could have put code into a table's definition, a function, even the COPY statement of a table.
So the tables are made by our own migrations, and the script that pg_restore makes of the dump is read, not run.
"""

import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from django.core.management import CommandError
from django.db import DatabaseError, Error, connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from core6.backup import dump as dumps
from core6.database import processes
from core6.terminal.progress import Work

_CHUNK: Final = 2**20
#: Where the tables are made and filled, beside the old ones.
_BESIDE: Final = sql.Identifier(dumps.BESIDE)
#: Nobody else may keep a lock: there are no other connections.
_DROP: Final = ("SET LOCAL lock_timeout = '10s'", "DROP SCHEMA public CASCADE")
#: Functions that note the search path of the session that makes them.
_NOTING: Final = """
SELECT format('ALTER FUNCTION %s SET search_path FROM CURRENT', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND EXISTS (SELECT FROM unnest(proconfig) c WHERE c LIKE 'search_path=%')"""
#: What our own migrations made, by the kinds of a table of contents that name it first.
_MADE: Final = """
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, relname::text FROM pg_class
WHERE relnamespace = 'public_being_restored'::regnamespace AND relkind IN ('r', 'p', 'S')
UNION SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public_being_restored'::regnamespace
UNION SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public_being_restored'::regnamespace"""
#: What is taken away while rows arrive, and what brings it back: triggers have fired for the rows before, keys refer to
#: rows in circles, and an index is built faster at once. The owner of a table may do that, unlike --disable-triggers.
_ASIDE: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)), 1
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public_being_restored'::regnamespace
UNION ALL SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid), 2
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public_being_restored'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),
    format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::regclass,
        CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname), 3
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = 'public_being_restored'::regnamespace AND NOT tgisinternal AND tgenabled <> 'D'
ORDER BY 3"""
_ROWS: Final = re.compile(rb'COPY public\."?(\w+)"? \(([\w ,"]+)\) FROM stdin;\n')
_POSITION: Final = re.compile(rb"SELECT pg_catalog\.setval\('public\.\"?(\w+)\"?', (-?\d+), (true|false)\);\n")
_ENCODING: Final = re.compile(rb"SET client_encoding = '(?!UTF8')")


class _EndsTooEarlyError(Exception):
    """The script ends among the rows of a table."""


def replace_everything(file: Path, contents: dumps.Contents, work: Work, check: Callable[[], None]) -> None:
    """Put what a dump holds in the place of everything, when all of it was read and `check` refuses nothing.

    It is made in a schema of its own: our migrations are no single transaction, and only the change of place must be.
    """
    try:
        with connection.cursor() as cursor:
            _try_to_drop(cursor)
            _execute(cursor, "DROP SCHEMA IF EXISTS {} CASCADE", "CREATE SCHEMA {}", "SET search_path TO {}")
            try:
                _make_tables(contents.migrations, file, work)
                cursor.execute(_MADE)
                wanted = dumps.entries_to_restore(file, contents.listed, set(cursor.fetchall()))
                work.now = "rows"
                with transaction.atomic(), _taken_aside(cursor, work):
                    _empty_tables(cursor)
                    _fill(cursor, file, wanted, work)
                cursor.execute("RESET search_path")
                check()
                _change_places(cursor)
            except BaseException:
                with suppress(Error):
                    _execute(cursor, "DROP SCHEMA IF EXISTS {} CASCADE")
                raise
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(f"nothing was changed, since the database refuses {file}: {reason}") from error
    except KeyboardInterrupt:
        raise CommandError("stopped: nothing was changed", returncode=130) from None


def _execute(cursor: Any, *statements: str) -> None:
    for each in statements:
        cursor.execute(sql.SQL(each).format(_BESIDE).as_string(None))


def _try_to_drop(cursor: Any) -> None:
    """Find out before the work whether what is there may be dropped."""
    with transaction.atomic():
        for statement in _DROP:
            cursor.execute(statement)
        transaction.set_rollback(True)


def _change_places(cursor: Any) -> None:
    with transaction.atomic():
        for statement in _DROP:
            cursor.execute(statement)
        _execute(cursor, "ALTER SCHEMA {} RENAME TO public")
        cursor.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        cursor.execute(_NOTING)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def command(file: Path, listed: Path) -> list[str]:
    """Return the command line that makes a script of the listed entries of a dump."""
    return [dumps.program("pg_restore"), "--data-only", f"--use-list={listed}", "--file=-", str(file.absolute())]


def _make_tables(named: set[tuple[str, str]], file: Path, work: Work) -> None:
    """Run the migrations that the dump names; those that came later run when its rows are there."""

    def show(_: str, migration: Any = None, *__: Any) -> None:
        work.now = str(migration or "")

    executor = MigrationExecutor(connection, show)
    graph = executor.loader.graph
    every = [migration for migration, _ in executor.migration_plan(graph.leaf_nodes())]
    plan = [each for each in every if _is_named(each, named)]
    keys = {(each.app_label, each.name) for each in plan}
    for key in sorted(keys):
        if lacking := [each for each in graph.forwards_plan(key) if each not in keys]:
            raise CommandError(
                f"nothing was changed, since {file} names the migration {'.'.join(key)} without {'.'.join(lacking[0])},"
                " which comes before it: take another backup"
            )
    executor.migrate([], plan=[(each, False) for each in plan])


def _is_named(migration: Migration, named: set[tuple[str, str]]) -> bool:
    replaced = set(migration.replaces)
    return (migration.app_label, migration.name) in named or (bool(replaced) and replaced <= named)


@contextmanager
def _taken_aside(cursor: Any, work: Work) -> Iterator[None]:
    cursor.execute(_ASIDE)
    pairs = [(away, back) for away, back, _ in cursor.fetchall()]
    for away, _ in pairs:
        cursor.execute(away)
    yield
    work.now = "indexes and constraints"
    for _, back in reversed(pairs):
        cursor.execute(back)


def _empty_tables(cursor: Any) -> None:
    """Remove the rows that the migrations put in: the dump has them, or what became of them."""
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [dumps.BESIDE])
    tables = [sql.Identifier(dumps.BESIDE, name) for (name,) in cursor.fetchall()]
    cursor.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)).as_string(None))


def _fill(cursor: Any, file: Path, wanted: dict[str, str], work: Work) -> None:
    """Bring the wanted entries in; refuse a dump whose script does not have each of them."""
    with tempfile.NamedTemporaryFile("w") as listed, tempfile.TemporaryFile() as complaints:
        listed.write("\n".join(wanted.values()) + "\n")
        listed.flush()
        reader = processes.spawn(
            command(file, Path(listed.name)), on_parent_death=signal.SIGTERM, stdout=subprocess.PIPE, stderr=complaints
        )
        assert reader.stdout
        try:
            done = list(_done(cursor, reader.stdout, work))
            is_damaged = reader.wait() != 0 or sorted(done) != sorted(wanted)
        except _EndsTooEarlyError:
            reader.wait()
            is_damaged = True
        finally:
            processes.stop(reader, signal.SIGTERM, 2.0)
        if is_damaged:
            complaints.seek(0)
            said = dumps.reason(complaints.read())
            raise CommandError(f"nothing was changed, since {file} is damaged: take another ({said})")


def _done(cursor: Any, script: IO[bytes], work: Work) -> Iterator[str]:
    """Do what a script says of rows and positions, by statements of our own, and yield the name of each that is done.

    Everything else in it is passed over.
    """
    for line in script:
        if found := _ROWS.fullmatch(line):
            table, columns = found[1].decode(), found[2].decode().split(", ")
            names = sql.SQL(", ").join(sql.Identifier(each.strip('"')) for each in columns)
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(dumps.BESIDE, table), names)
            with connection.wrap_database_errors, cursor.cursor.copy(statement) as copy:
                for chunk in _rows(script):
                    copy.write(chunk)
                    work.done += len(chunk)
            yield table
        elif found := _POSITION.fullmatch(line):
            name = sql.Identifier(dumps.BESIDE, found[1].decode()).as_string(None)
            cursor.execute("SELECT setval(%s::regclass, %s, %s)", [name, int(found[2]), found[3] == b"true"])
            yield found[1].decode()
        elif _ENCODING.match(line):
            raise CommandError("nothing was changed, since the dump is not in UTF-8: make it with --encoding=UTF8")


def _rows(script: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows of one COPY in large pieces; raises _EndsTooEarlyError where the script ends among them."""
    lines: list[bytes] = []
    size = 0
    for line in script:
        if line == b"\\.\n":
            yield b"".join(lines)
            return
        lines.append(line)
        size += len(line)
        if size > _CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    raise _EndsTooEarlyError

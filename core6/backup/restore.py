"""Restores the rows of a dump and the positions of its sequences without running any code in it.

The author of the file could have put code into a table's definition, a function, even the COPY statement of a table.
So the tables are created by our migrations, and the script that pg_restore makes of the dump is parsed, not run.
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
#: The schema where the new tables are created and filled.
_BESIDE: Final = sql.Identifier(dumps.BESIDE)
#: The timeout is short, since there are no other connections that could hold locks.
_DROP: Final = ("SET LOCAL lock_timeout = '10s'", "DROP SCHEMA public CASCADE")
#: Functions that store the search path of the session that created them.
_SET_SEARCH_PATH: Final = """
SELECT format('ALTER FUNCTION %s SET search_path FROM CURRENT', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND EXISTS (SELECT FROM unnest(proconfig) c WHERE c LIKE 'search_path=%')"""
#: The kinds and names of the objects of our migrations.
_MADE: Final = """
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, relname::text FROM pg_class
WHERE relnamespace = 'public_being_restored'::regnamespace AND relkind IN ('r', 'p', 'S')
UNION SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public_being_restored'::regnamespace
UNION SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public_being_restored'::regnamespace"""
#: Pairs of statements that remove and restore objects while rows are loaded: triggers have already fired for the rows,
#: foreign keys have cycles, and an index is built faster afterwards. Unlike --disable-triggers, this needs only the
#: owner of the tables.
_CONSTRAINTS: Final = """
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
    """The script ends in the middle of a table."""


def replace_everything(file: Path, contents: dumps.Contents, work: Work, check: Callable[[], None]) -> None:
    """Replace the whole database by a dump, after it was read completely and `check` raises nothing.

    The new tables are made in a separate schema, since our migrations are not one transaction; only the swap is one.
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
                with transaction.atomic(), _without_constraints(cursor, work):
                    _empty_tables(cursor)
                    _fill(cursor, file, wanted, work)
                cursor.execute("RESET search_path")
                check()
                _swap_schemas(cursor)
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
    """Check at the start whether the old schema can be dropped."""
    with transaction.atomic():
        for statement in _DROP:
            cursor.execute(statement)
        transaction.set_rollback(True)


def _swap_schemas(cursor: Any) -> None:
    with transaction.atomic():
        for statement in _DROP:
            cursor.execute(statement)
        _execute(cursor, "ALTER SCHEMA {} RENAME TO public")
        cursor.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        cursor.execute(_SET_SEARCH_PATH)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def command(file: Path, listed: Path) -> list[str]:
    """Return the command that writes the listed entries of a dump as a script."""
    return [dumps.program("pg_restore"), "--data-only", f"--use-list={listed}", "--file=-", str(file.absolute())]


def _make_tables(named: set[tuple[str, str]], file: Path, work: Work) -> None:
    """Run the migrations of the dump; newer ones run after its rows are loaded."""

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
def _without_constraints(cursor: Any, work: Work) -> Iterator[None]:
    cursor.execute(_CONSTRAINTS)
    pairs = [(remove, restore) for remove, restore, _ in cursor.fetchall()]
    for remove, _ in pairs:
        cursor.execute(remove)
    yield
    work.now = "indexes and constraints"
    for _, restore in reversed(pairs):
        cursor.execute(restore)


def _empty_tables(cursor: Any) -> None:
    """Remove the rows that the migrations inserted: the dump has them, perhaps changed."""
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [dumps.BESIDE])
    tables = [sql.Identifier(dumps.BESIDE, name) for (name,) in cursor.fetchall()]
    cursor.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)).as_string(None))


def _fill(cursor: Any, file: Path, wanted: dict[str, str], work: Work) -> None:
    """Load the wanted entries; refuse a dump whose script does not contain all of them."""
    with tempfile.NamedTemporaryFile("w") as listed, tempfile.TemporaryFile() as errors:
        listed.write("\n".join(wanted.values()) + "\n")
        listed.flush()
        reader = processes.spawn(
            command(file, Path(listed.name)), on_parent_death=signal.SIGTERM, stdout=subprocess.PIPE, stderr=errors
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
            errors.seek(0)
            reason = dumps.reason(errors.read())
            raise CommandError(f"nothing was changed, since {file} is damaged: take another ({reason})")


def _done(cursor: Any, script: IO[bytes], work: Work) -> Iterator[str]:
    """Load the rows and positions in a script by our own statements, and yield the name of each.

    Everything else in it is skipped.
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
    """Yield the rows of one COPY in large chunks; raises _EndsTooEarlyError if the script ends before."""
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

"""How the server is, for the person who runs it: questions that only read.

Each question yields findings: how something is, and for what is not well what to do about it. Nothing is started,
migrated or written: what goes to the database goes in a transaction that can only read. No finding shows a secret.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from django.conf import settings
from django.db import Error, OperationalError, ProgrammingError, connection, transaction

from core6.database.missing_migrations import missing_migrations
from core6.diagnosis import activity, cohorts, jobs, machine, people, postgres
from core6.diagnosis.findings import Finding, Question, Report
from core6.diagnosis.machine import health_findings, serving_process
from core6.diagnosis.queries import database_name
from core6.diagnosis.texts import error_line, masked_line
from core6.terminal import program

STATEMENT_SECONDS: Final = 5
#: How long a locked table is waited for.
LOCK_SECONDS = 2.0


def findings(url: str | None = None) -> list[Finding]:
    """Return what every question finds; those that need the database are left out once it does not answer.

    `url` is the address of the web server, where no `serve` of this machine is known.
    """
    found: list[Finding] = []
    is_away = False
    for each in QUESTIONS:
        question = replace(each, look=partial(health_findings, url)) if url and each.name == "web server" else each
        if question.needs_database and is_away:
            continue
        try:
            found += answer(question)
        except _Away as away:
            is_away = True
            found.append(_finding("database", _away(str(away))))
    return found


class _Away(Exception):
    """The database cannot be reached: other questions about it are left out."""


def answer(question: Question) -> list[Finding]:
    """Return what one question finds; one that fails is a finding itself."""
    try:
        reports = _read_only(question) if question.needs_database else list(question.look())
    except (ProgrammingError, OperationalError) as error:
        if question.needs_database and _is_connection_lost(error):
            raise _Away(error_line(error)) from error
        if isinstance(error, ProgrammingError) and _has_missing_migrations():
            return []  # the tables that it looks at do not exist yet, which is reported already
        reports = [_failed(error)]
    except Exception as error:  # the other questions are still of use
        reports = [_failed(error)]
    return [_finding(question.name, each) for each in reports]


def _finding(name: str, report: Report) -> Finding:
    state, message, advice = report
    return Finding(name, state, masked_line(message), masked_line(advice))


def _failed(error: Exception) -> Report:
    message = f"could not be looked at: {type(error).__name__}: {error_line(error)}"
    return "bad", message, f"Correct what it names, and run `{program.NAME} doctor` again."


def _read_only(question: Question) -> list[Report]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
                " set_config('transaction_read_only', 'on', true)",
                [f"{STATEMENT_SECONDS}s", f"{LOCK_SECONDS * 1000:.0f}ms"],
            )
        reports = list(question.look())
        transaction.set_rollback(True)  # the limits end here, also inside a transaction of the caller
    return reports


def _is_connection_lost(error: Error) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) and (
        state is None or state.startswith(("08", "57P", "28", "3D", "53300"))
    )


def _has_missing_migrations() -> bool:
    with suppress(Error):
        return bool(missing_migrations())
    return False


def _away(reason: str) -> Report:
    if settings.IS_EMBEDDED:
        if not serving_process():
            return (
                "bad",
                f"not running, so nothing else of it is known: {reason}",
                f"Start it with `{program.NAME} serve`.",
            )
        log = settings.DATA_DIRECTORY / "postgres.log"
        return "bad", f"cannot be reached, so nothing else of it is known: {reason}", f"Read the end of {log}."
    advice = "See that it runs and lets this machine in, and that DATABASE_URL names it."
    return "bad", f"{database_name()} cannot be reached, so nothing else of it is known: {reason}", advice


#: Every question, in the order of the report.
QUESTIONS: Final = (
    *(*machine.QUESTIONS, *postgres.QUESTIONS, *jobs.QUESTIONS),
    *(*cohorts.QUESTIONS, *people.QUESTIONS, *activity.QUESTIONS),
)

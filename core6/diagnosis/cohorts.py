"""What the doctor finds of cohorts: those that fail, wait or take too long."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from cohorts.calculation.dependencies import reachable
from cohorts.calculation.failures import OF_DEFINITIONS, message
from cohorts.calculation.refresh import MOST_ERRORS
from cohorts.criteria.references import ids_in
from cohorts.models import Cohort
from core6.diagnosis.checks import EXAMPLES
from core6.diagnosis.findings import Question, Report, State
from core6.diagnosis.queries import select
from core6.diagnosis.texts import duration, shortened


def _cohort(key: int, name: str | None, project: int) -> str:
    return f"cohort {key} “{shortened(name)[:80]}” of project {project}"


#: Of each state the latest, with the number of all in that state.
_FAILING: Final = (
    "SELECT * FROM ("
    "SELECT f.*, count(*) OVER same AS total, row_number() OVER (same ORDER BY last_error_at DESC NULLS LAST, id) AS i"
    " FROM ("
    "SELECT c.id, c.name, c.project_id, c.errors_calculating, c.last_error_at,"
    " extract(epoch FROM now() - c.last_error_at)::float8 AS age, r.error, r.error_code,"
    " coalesce(r.error_code = ANY(%s), false) AS is_of_definition"
    " FROM cohorts_cohort c LEFT JOIN LATERAL (SELECT error, error_code FROM cohorts_calculation"
    " WHERE cohort_id = c.id AND error > '' ORDER BY started_at DESC LIMIT 1) AS r ON true"
    " WHERE c.errors_calculating > 0 AND NOT c.deleted"
    ") AS f WINDOW same AS (PARTITION BY is_of_definition)"
    ") AS ranked WHERE i <= %s ORDER BY is_of_definition, i"
)


def _failing_cohorts() -> Iterator[Report]:
    """Look at those that fail: by their own definition, which is a warning, or by anything else."""
    rows = select(_FAILING, [sorted(OF_DEFINITIONS), EXAMPLES])
    if not rows:
        yield "ok", "none", ""
    for key, name, project, errors, _, age, error, code, is_of_definition, total, i in rows:
        state: State = "warning" if is_of_definition else "bad"
        if i == 1 and total > EXAMPLES:
            what = "cohorts fail by their definition" if is_of_definition else "cohorts fail"
            yield state, f"{total} {what}; the latest {EXAMPLES} follow", "Look for what they have in common."
        times = "once" if errors == 1 else f"{errors} times"
        when = f", last {duration(age)} ago" if age is not None else ""
        reason = shortened(error) or "its calculation ended without a word, and no job was left"
        # The advice stands behind the colon.
        advice = (message(code or "unknown") or "").rpartition(": ")[2].capitalize()
        if errors > MOST_ERRORS:
            advice += " After so many failures it is tried again only once it is saved."
        yield state, f"{_cohort(key, name, project)} failed {times}{when}: {reason}", advice


def _waiting_cohorts() -> Iterator[Report]:
    """Look at those that are to be computed: some wait for one that fails, some for nothing at all."""
    begun = Cohort.objects.filter(is_calculating=True, deleted=False)
    of_interest = {"project__in": begun.values("project"), "deleted": False}
    rows = list(
        Cohort.objects.filter(**of_interest)
        .order_by("pk")
        .values_list("pk", "name", "project_id", "referenced_cohorts", "is_calculating", "errors_calculating")
    )
    graph = {key: ids_in(named) for key, _, _, named, _, _ in rows}
    failing = {row[0]: row for row in rows if row[5]}
    locks = select(
        "SELECT DISTINCT split_part(lock, ':', 2)::bigint FROM procrastinate_jobs"
        " WHERE lock ~ '^cohort:[0-9]{1,18}$' AND status IN ('todo', 'doing')"
    )
    attended = {key for (key,) in locks}
    behind, hanging, count = [], [], 0
    for key, name, project, _, is_calculating, _ in rows:
        if not is_calculating:
            continue
        count += 1
        awaited = reachable([key], graph)
        if attended.isdisjoint({key, *awaited}):
            hanging.append((key, name, project))
        elif causes := sorted((awaited - {key}) & failing.keys()):
            behind.append((_cohort(key, name, project), _cohort(*failing[causes[0]][:3])))
    for each in hanging[:EXAMPLES]:
        message = f"{_cohort(*each)} claims to be calculating, but no job for it is left"
        yield "bad", message, "A living worker frees it within a minute; or save the cohort again."
    for waits, cause in behind[:EXAMPLES]:
        yield "warning", f"{waits} builds on {cause}, which fails", "Correct the latter first."
    for these, what in ((hanging, "claim to be calculating without a job"), (behind, "build on one that fails")):
        if len(these) > EXAMPLES:
            yield "warning", f"{len(these)} cohorts in all {what}", "Look for what they have in common."
    if not (hanging or behind):
        yield "ok", f"{count} are to be computed", ""


def _long_calculations() -> Iterator[Report]:
    rows = select(
        "SELECT c.id, c.name, c.project_id, extract(epoch FROM now() - r.started_at)::float8, count(*) OVER ()"
        " FROM cohorts_calculation r JOIN cohorts_cohort c ON c.id = r.cohort_id WHERE r.finished_at IS NULL"
        " AND r.started_at < now() - make_interval(secs => %s) ORDER BY r.started_at, c.id LIMIT %s",
        [settings.COHORT_CALCULATION_SECONDS, EXAMPLES],
    )
    advice = "See the long statements for what it waits for; else use fewer conditions, or restart the worker."
    for key, name, project, age, _ in rows:
        yield "bad", f"{_cohort(key, name, project)} has been calculating for {duration(age)}", advice
    if rows and rows[0][4] > len(rows):
        yield "bad", f"{rows[0][4]} calculations in all take too long", advice
    if not rows:
        yield "ok", f"none longer than {settings.COHORT_CALCULATION_SECONDS} s", ""


QUESTIONS: Final = (
    Question("failing cohorts", _failing_cohorts),
    Question("waiting cohorts", _waiting_cohorts),
    Question("long calculations", _long_calculations),
)

"""What the doctor finds of persons and events, by the catalog: it reads no rows of them."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from core6.analytics.models import Event, Person, PersonOverride
from core6.diagnosis.findings import Question, Report
from core6.diagnosis.queries import select

#: So many merges are written into the events within a minute or two.
_MOST_OVERRIDES: Final = 10_000
#: A table that was never analyzed has -1 rows.
_ROWS: Final = """
SELECT greatest(c.reltuples, 0)::bigint, coalesce(s.n_tup_ins, 0), coalesce(s.n_tup_del, 0)
FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, i)
JOIN pg_class c ON c.oid = t.name::regclass LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid ORDER BY t.i"""


def _people() -> Iterator[Report]:
    tables = [model._meta.db_table for model in (Person, Event, PersonOverride)]
    persons, events, overrides = select(_ROWS, [tables])
    days = settings.EVENT_RETENTION_DAYS
    kept = f"those of {days} days are kept" if days else "all are kept"
    added = f"{events[1]:,} were added and {events[2]:,} deleted since the statistics began"
    yield "ok", f"about {persons[0]:,} persons and {events[0]:,} events; {added}; {kept}", ""
    if overrides[0] > _MOST_OVERRIDES:
        message = f"about {overrides[0]:,} merges of persons are not written into the events yet"
        yield "warning", message, "Look at the jobs: fold_merges writes them, each minute."


QUESTIONS: Final = (Question("people", _people),)

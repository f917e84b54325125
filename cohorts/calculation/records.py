"""The stored history of calculations: the newest runs of each cohort, and each definition once."""

import json
from hashlib import sha256
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from cohorts.models import Calculation, Cohort, Definition

#: Keeps the newest runs of each cohort, and its newest failed run, whose error the cohort shows.
_OLD: Final = """
DELETE FROM cohorts_calculation WHERE id IN (
  SELECT id FROM (
    SELECT id, finished_at, error > '' AS is_failed,
      row_number() OVER (PARTITION BY cohort_id ORDER BY started_at DESC, id DESC) AS place,
      row_number() OVER (PARTITION BY cohort_id, error > '' ORDER BY started_at DESC, id DESC) AS place_of_kind
    FROM cohorts_calculation) ranked
  WHERE place > %s AND finished_at IS NOT NULL AND NOT (is_failed IS TRUE AND place_of_kind = 1))"""
_UNUSED: Final = """
DELETE FROM cohorts_definition d
WHERE NOT EXISTS (SELECT FROM cohorts_calculation c WHERE c.definition_id = d.id)"""


def begin(cohort: Cohort) -> Calculation:
    """Create the run of a calculation of the cohort that starts now."""
    criteria = cohort.criteria
    digest = sha256(json.dumps(criteria, sort_keys=True).encode()).hexdigest()
    with transaction.atomic():
        locked = Definition.objects.select_for_update(no_key=True)  # so that it is not deleted as unused meanwhile
        definition, _ = locked.get_or_create(cohort=cohort, digest=digest, defaults={"filters": criteria})
        return Calculation.objects.create(cohort=cohort, definition=definition)


def set_queries(run: Calculation, text: str, **statistics: Any) -> None:
    """Set the statement of a run with its statistics; its text is stored with the definition if that has none yet."""
    definition = run.definition
    if definition is not None and not definition.query:
        definition.query = text
        definition.save(update_fields=["query"])
    is_known = definition is not None and definition.query == text
    run.queries = [{"query": "" if is_known else text, **statistics}]


def forget_old() -> None:
    """Delete all but the newest CALCULATION_HISTORY runs of each cohort, and definitions without a run."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [settings.CALCULATION_HISTORY])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_UNUSED)
    except IntegrityError:
        pass  # a run of one of them has just started: the next call deletes the others

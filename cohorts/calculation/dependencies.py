"""Dependencies between the cohorts of a project."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from django.db.models import QuerySet, Sum

from cohorts.criteria.errors import CriteriaError
from cohorts.criteria.references import ids_in
from cohorts.models import Cohort
from core6.api.page_sizes import bytes_of
from core6.database import locks

References = Mapping[int, set[int]]
LARGEST_ID = 2**63 - 1
#: In bytes of JSON.
_LARGEST_DEFINITIONS: Final = 10 * 1024**2


def lock_definitions(project_id: int) -> None:
    """Lock the definitions and states of the project's cohorts until the transaction ends.

    A change writes the rows of several related cohorts: without one lock, two writers could deadlock.
    """
    locks.COHORT_DEFINITIONS.acquire(project_id % 2**31)


def references_in(project_id: int) -> dict[int, set[int]]:
    """Return the ids that the criteria of each cohort of the project refer to; without deleted cohorts."""
    rows = Cohort.objects.filter(project=project_id, deleted=False).values_list("pk", "referenced_cohorts")
    return {key: ids_in(named) for key, named in rows}


def known(project_id: int, ids: Iterable[int]) -> set[int]:
    """Return the ids that belong to cohorts of the project, including deleted ones."""
    return set(_named(project_id, ids).values_list("pk", flat=True))


def of_type(project_id: int, ids: Iterable[int], cohort_type: str) -> set[int]:
    """Return the ids that belong to cohorts of the project of this type, including deleted ones."""
    return set(_named(project_id, ids).filter(cohort_type=cohort_type).values_list("pk", flat=True))


def _named(project_id: int, ids: Iterable[int]) -> QuerySet[Cohort]:
    """Return the cohorts of the project with these ids, without ids that are out of the range of the column."""
    return Cohort.objects.filter(project=project_id, pk__in=[key for key in ids if 0 < key <= LARGEST_ID])


def definitions_of(project_id: int, ids: Iterable[int]) -> dict[int, Cohort]:
    """Return the cohorts with these ids and all cohorts that they refer to, directly or indirectly.

    Raises CriteriaError if they are too large to be loaded during a request.
    """
    ids = set(ids)
    if not ids:
        return {}
    rows = Cohort.objects.filter(project=project_id)
    graph = {key: ids_in(named) for key, named in rows.values_list("pk", "referenced_cohorts")}
    rows = rows.filter(pk__in=(ids | reachable(ids, graph)) & graph.keys())
    size = rows.aggregate(size=Sum(bytes_of("filters") + bytes_of("groups") + bytes_of("query")))["size"] or 0
    if size > _LARGEST_DEFINITIONS:
        detail = "The cohorts that the filters refer to are too large to check the type: leave cohort_type out."
        raise CriteriaError(detail, "cohort_type")
    return {cohort.pk: cohort for cohort in rows.only("is_static", "query", "filters", "groups")}


def has_cycle(graph: References) -> bool:
    """Return whether a cohort depends on itself, directly or indirectly."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def reachable(start: Iterable[int], graph: References) -> set[int]:
    """Return what can be reached from `start` in the graph; `start` itself only if it can be reached again."""
    found: set[int] = set()
    frontier = list(start)
    while frontier:
        fresh = graph.get(frontier.pop(), set()) - found
        found |= fresh
        frontier += fresh
    return found


def dependents(key: int, graph: References) -> set[int]:
    """Return the cohorts that refer to `key`, directly or indirectly."""
    reverse: dict[int, set[int]] = {}
    for source, targets in graph.items():
        for target in targets:
            reverse.setdefault(target, set()).add(source)
    return reachable([key], reverse)


def related(key: int, graph: References) -> list[int]:
    """Return the cohort, its dependencies and its dependents, dependencies first (D40); only itself if in a cycle."""
    members = {key} | (reachable([key], graph) & graph.keys()) | dependents(key, graph)
    try:
        order = TopologicalSorter({each: graph.get(each, set()) & members for each in members}).static_order()
        return list(order)
    except CycleError:
        return [key]

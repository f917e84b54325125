"""The `query` of a static cohort (D55): an ActorsQuery over persons by their properties."""

from typing import Any, Final

from cohorts.clock import clock_of
from cohorts.compile import NoCriteria, compile_criteria, regular_expressions
from cohorts.criteria import Criteria, CriteriaError, load
from cohorts.sql import Sql

#: What else an ActorsQuery may say; it does not change who is found.
_INERT: Final = frozenset(
    {"kind", "select", "orderBy", "tags", "version", "response", "modifiers", "limit", "offset", "properties"}
)
_SUPPORTED: Final = "an ActorsQuery with `properties` of persons is supported"


def check(query: Any) -> None:
    """Refuse what cannot be computed; raises CriteriaError about `query`."""
    if not isinstance(query, dict):
        raise CriteriaError("Query must be a dictionary.", attr="query")
    kind = query.get("kind")
    if kind == "HogQLQuery":
        raise CriteriaError(f"HogQL cannot be computed here: {_SUPPORTED}.", attr="query")
    if kind != "ActorsQuery":
        raise CriteriaError(f"Query must be an ActorsQuery or HogQLQuery. Got: {kind}", attr="query")
    unknown = sorted(name for name, value in query.items() if name not in _INERT and value not in (None, [], {}, ""))
    if unknown:
        raise CriteriaError(f"{unknown[0]!r} cannot be computed here: {_SUPPORTED}.", attr="query")
    try:
        criteria = _criteria(query)
    except CriteriaError as error:
        raise CriteriaError(f"Query has properties that cannot be read: {error.detail}", attr="query") from error
    _only_properties(criteria)


def compile_query(query: Any, *, project_id: int) -> tuple[Sql, list[str]]:
    """Return the statement that selects whom the query finds, and its regular expressions; without properties, all."""
    criteria = _criteria(query)
    try:
        persons = compile_criteria(criteria, project_id=project_id, clock=clock_of(project_id), cohorts=())
    except NoCriteria:
        persons = Sql("SELECT p.uuid FROM analytics_person p WHERE p.project_id = %s", (project_id,))
    return persons, regular_expressions(criteria)


def _criteria(query: dict[str, Any]) -> Criteria:
    properties = query.get("properties") or []
    if isinstance(properties, dict):
        return load({"properties": properties})
    return load({"properties": {"type": "AND", "values": properties}})


def _only_properties(criteria: Criteria) -> None:
    for leaf in criteria.properties.values:
        if leaf.type not in ("person", "AND", "OR"):
            raise CriteriaError(f"Conditions of type {leaf.type!r} cannot be computed: {_SUPPORTED}.", attr="query")

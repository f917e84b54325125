"""The `query` of a static cohort (D55, D65): an ActorsQuery on properties of persons, or a copy of another cohort."""

import re
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from cohorts.calculation.clock import clock_of
from cohorts.criteria.parse import Criteria, CriteriaError, load
from cohorts.models import Cohort
from cohorts.sql.compile import NoCriteria, compile_criteria
from cohorts.sql.fragments import Sql

#: The HogQL that clients send to copy the members of a cohort.
_COPY: Final = re.compile(
    r"\s*SELECT\s+person_id\s+FROM\s+(static_)?cohort_people\s+WHERE\s+cohort_id\s*=\s*([0-9]{1,18})\s*;?\s*",
    re.IGNORECASE | re.ASCII,
)
_SUPPORTED: Final = (
    "use an ActorsQuery with `properties` of persons, or SELECT person_id FROM cohort_people WHERE cohort_id = <id>"
)
#: The keys of a HogQLQuery that are accepted, since none but `query` affects the result.
_INERT: Final = frozenset({"kind", "query", "tags", "version", "response", "modifiers", "name", "explain"})


class _ActorsQuery(BaseModel):
    """The supported keys of an ActorsQuery; only `properties` affects the result."""

    kind: Literal["ActorsQuery"]
    properties: list[Any] | dict[str, Any] | None = None
    select: list[str] | None = None
    orderBy: list[str] | None = None  # noqa: N815  # the API's name
    limit: int | None = None
    offset: int | None = None
    tags: dict[str, Any] | None = None
    version: float | None = None
    response: dict[str, Any] | None = None
    modifiers: dict[str, Any] | None = None


def check_kind(query: Any) -> None:
    """Refuse a value that is not a query; raises CriteriaError about `query`."""
    if not isinstance(query, dict):
        raise CriteriaError("Query must be a dictionary.", attr="query")
    kind = query.get("kind")
    if kind not in ("ActorsQuery", "HogQLQuery"):
        raise CriteriaError(f"Query must be an ActorsQuery or HogQLQuery. Got: {kind}", attr="query")


def check(query: dict[str, Any]) -> None:
    """Refuse a query that is not supported; raises CriteriaError about `query`."""
    if query["kind"] == "HogQLQuery":
        _check_names(query, _INERT)
        if not isinstance(query.get("query"), str) or not _COPY.fullmatch(query["query"]):
            raise CriteriaError(f"This HogQL cannot be computed here: {_SUPPORTED}.", attr="query")
        return
    _check_names(query, _ActorsQuery.model_fields.keys())
    try:
        _ActorsQuery.model_validate(query)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise CriteriaError(f"Query cannot be read: {path}: {first['msg']}.", attr="query") from error
    try:
        criteria = _criteria(query)
    except CriteriaError as error:
        raise CriteriaError(f"Query has properties that cannot be read: {error.detail}", attr="query") from error
    for leaf in criteria.properties.values:
        if leaf.type not in ("person", "AND", "OR"):
            raise CriteriaError(f"Conditions of type {leaf.type!r} cannot be computed: {_SUPPORTED}.", attr="query")


def references(query: dict[str, Any]) -> set[int]:
    """Return the id of the cohort whose members the query copies."""
    found = _COPY.fullmatch(query["query"]) if query["kind"] == "HogQLQuery" else None
    return {int(found[2])} if found else set()


def copy_of(cohort: Cohort) -> dict[str, Any]:
    """Return the query that copies the members of a dynamic cohort."""
    return {"kind": "HogQLQuery", "query": f"SELECT person_id FROM cohort_people WHERE cohort_id = {cohort.pk}"}


def compile_query(query: dict[str, Any], *, project_id: int) -> Sql:
    """Return the statement that selects the persons of the query: all of the project if it has no properties."""
    if query["kind"] == "HogQLQuery":
        return _copy(query["query"], project_id)
    try:
        return compile_criteria(_criteria(query), project_id=project_id, clock=clock_of(project_id), cohorts=())
    except NoCriteria:
        return Sql("SELECT p.uuid FROM analytics_person p WHERE p.project_id = %s", (project_id,))


def _check_names(query: dict[str, Any], known: Any) -> None:
    unknown = sorted(name for name, value in query.items() if name not in known and value not in (None, [], {}, ""))
    if unknown:
        raise CriteriaError(f"{unknown[0]!r} cannot be computed here: {_SUPPORTED}.", attr="query")


def _copy(hogql: str, project_id: int) -> Sql:
    found = _COPY.fullmatch(hogql)
    if found is None:
        raise CriteriaError(f"This HogQL cannot be computed here: {_SUPPORTED}.", attr="query")
    # cohort_people holds the members of dynamic cohorts, static_cohort_people those of static ones.
    live = Cohort.objects.filter(project=project_id, pk=int(found[2]), deleted=False, is_static=bool(found[1]))
    key = live.values_list("pk", flat=True).first()
    members = "SELECT m.person_uuid FROM cohorts_cohortmember m WHERE m.project_id = %s AND m.cohort_id = %s"
    return Sql(members, (project_id, 0 if key is None else key))


def _criteria(query: dict[str, Any]) -> Criteria:
    properties = query.get("properties") or []
    if isinstance(properties, dict):
        return load({"properties": properties})
    return load({"properties": {"type": "AND", "values": properties}})

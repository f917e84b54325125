"""The criteria of cohorts in a file: those of the API, in which another cohort may be referred to by its name."""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, Final

import pydantic
from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cohorts.criteria.grammar import (
    BehavioralFilter,
    CohortFilter,
    Criteria,
    EventFilter,
    Group,
    HogQLFilter,
    PersonFilter,
)
from cohorts.criteria.parse import CriteriaError, parse
from cohorts.criteria.references import LEAF_TYPES
from core6.provisioning.columns import several
from core6.provisioning.errors import Flaw, Location
from core6.provisioning.explanations import explained

#: The types of the grammar by what stands in the location of an error before their properties.
_TYPES: Final[dict[str, type[pydantic.BaseModel]]] = {
    "": Criteria,
    "properties": Group,
    "AND": Group,
    "OR": Group,
    "person": PersonFilter,
    "behavioral": BehavioralFilter,
    "cohort": CohortFilter,
    "event": EventFilter,
    "hogql": HogQLFilter,
}
#: More than 64 groups within each other, which the grammar refuses.
_DEEPEST: Final = 150
_PROPERTIES: Final = {name: tuple(found.model_fields) for name, found in _TYPES.items()}


class _Described:
    """Annotates the criteria with the JSON Schema of their grammar."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(Criteria.__pydantic_core_schema__), {"type": "null"}]}


Filters = Annotated[dict[str, Any] | None, _Described()]


def check_filters(filters: Any) -> None:
    """Raise a pydantic error for criteria that the API would refuse; names of cohorts are not looked up."""
    try:
        parse(with_ids(filters, lambda _: 1))
    except CriteriaError as error:
        cause = error.__cause__
        found = [Flaw((), error.detail)]
        if isinstance(cause, pydantic.ValidationError):
            found = [Flaw(_without_tags(each.location), each.message) for each in explained(cause, _PROPERTIES)]
        raise several(Flaw(("filters", *each.location), each.message) for each in found) from error


def _without_tags(location: Location) -> Location:
    """Return the location in the JSON: pydantic adds the type of a part after its index."""
    return (
        *location[:1],
        *(part for before, part in pairwise(location) if not (isinstance(before, int) and part in _TYPES)),
    )


def with_ids(filters: Any, id_of: Callable[[str], int], depth: int = 0) -> Any:
    """Return the criteria with the ids of cohorts that they refer to by name."""
    if depth == _DEEPEST:
        return filters
    if isinstance(filters, list):
        return [with_ids(part, id_of, depth + 1) for part in filters]
    if not isinstance(filters, dict):
        return filters
    if filters.get("type") not in LEAF_TYPES:
        return {key: with_ids(part, id_of, depth + 1) for key, part in filters.items()}
    value = filters.get("value")
    return {**filters, "value": id_of(value)} if filters["type"] == "cohort" and isinstance(value, str) else filters

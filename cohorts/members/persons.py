"""The persons of a cohort in the API."""

import csv
import io
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cohorts.calculation.clock import clock_of
from cohorts.criteria.dates import Clock
from cohorts.criteria.parse import CriteriaError, Leaf, PersonFilter, leaves, load
from cohorts.models import Cohort, CohortMember
from cohorts.sql.compile import check_number_of_expressions
from cohorts.sql.fragments import Sql
from cohorts.sql.properties import condition
from cohorts.sql.property_values import CompileError, InvalidExpression, Property
from core6.analytics.models import DistinctId, Person
from core6.api.page_sizes import MOST_BYTES, bytes_of
from core6.api.pagination import LimitOffsetPagination, page_schema

_MOST_DISTINCT_IDS = 10
#: Number of persons that one statement reads.
_AT_ONCE: Final = 100
#: Beginnings of text that a spreadsheet takes for a formula; numbers, which may begin with a sign, are excepted.
_FORMULA: Final = re.compile(r"[=@+\-\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NAME_PROPERTIES = ("email", "Email", "name", "Name", "username", "Username", "UserName")


def persons_of(cohort: Cohort) -> QuerySet[Person]:
    """Return the members, newest person first, each with at most ten distinct ids in `distinct_ids`."""
    project = cohort.project_id
    members = CohortMember.objects.filter(project_id=project, cohort_id=cohort.pk).values("person_uuid")
    ids = DistinctId.objects.filter(project_id=project, person_uuid=OuterRef("uuid")).order_by("distinct_id")
    return (
        Person.objects.filter(project_id=project, uuid__in=members)
        .annotate(distinct_ids=ArraySubquery(ids.values("distinct_id")[:_MOST_DISTINCT_IDS]))
        .order_by("-created_at", "-uuid")
    )


def filter_persons(persons: QuerySet[Person], project_id: int, parameters: Mapping[str, str]) -> QuerySet[Person]:
    """Apply the query parameters `properties` and `search`; raises ValidationError."""
    if parameters.get("properties"):
        persons = persons.filter(*_conditions(parameters["properties"], clock_of(project_id)))
    search = parameters.get("search", "").strip()
    if "\0" in search:
        raise ValidationError("Null characters are not allowed.", code="null_characters_not_allowed")
    if search:
        names = DistinctId.objects.filter(project_id=project_id, person_uuid=OuterRef("uuid"))
        persons = persons.annotate(
            of_email=KT("properties__email"), of_name=KT("properties__name"), of_uuid=Cast("uuid", TextField())
        ).filter(
            Q(of_email__icontains=search)
            | Q(of_name__icontains=search)
            | Q(of_uuid__icontains=search)
            | Exists(names.filter(distinct_id__icontains=search))
        )
    return persons


def _conditions(text: str, clock: Clock) -> list[RawSQL]:
    try:
        given = [{"operator": "exact", "type": "person", **each} for each in json.loads(text)]
        found = list(leaves(load({"properties": {"type": "AND", "values": given}}).properties))
        check_number_of_expressions(found)
        compiled = [_condition(leaf, clock) for leaf in found]
    except InvalidExpression as error:
        raise ValidationError({"properties": str(error)}) from error
    except (ValueError, TypeError, CriteriaError, CompileError, RecursionError) as error:
        raise ValidationError(
            {"properties": "Must be a JSON list of person filters, each with key, value and perhaps operator."}
        ) from error
    return [RawSQL(part.text, part.values, output_field=BooleanField()) for part in compiled]  # noqa: S611  # bound


def _condition(leaf: Leaf, clock: Clock) -> Sql:
    if not isinstance(leaf, PersonFilter):
        raise CompileError("only conditions on persons narrow the list")
    return condition(Property.of('"analytics_person"."properties"', leaf.key), leaf.operator, leaf.value, clock)


class PersonSerializer(serializers.ModelSerializer[Person]):
    """A person who is a member of a cohort."""

    type = serializers.SerializerMethodField(help_text="Always `person`.")
    id = serializers.UUIDField(source="uuid", read_only=True, help_text="UUID of the person, the same as `uuid`.")
    properties = serializers.DictField(read_only=True, help_text="Properties of the person.")
    name = serializers.SerializerMethodField(
        help_text="Display name: the email address, a name, a distinct ID or the UUID."
    )
    distinct_ids = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Distinct IDs of the person, at most 10."
    )
    matched_recordings = serializers.SerializerMethodField(help_text="Always empty: recordings are not supported.")
    value_at_data_point = serializers.SerializerMethodField(help_text="Always null.")

    class Meta:
        model = Person
        fields = (
            "type",
            "id",
            "uuid",
            "created_at",
            "properties",
            "is_identified",
            "name",
            "distinct_ids",
            "matched_recordings",
            "value_at_data_point",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "uuid": {"help_text": "UUID of the person."},
            "created_at": {"help_text": "When the person was first seen."},
            "is_identified": {"help_text": "Whether the person is identified."},
        }

    def get_type(self, person: Person) -> str:
        return "person"

    def get_name(self, person: Person) -> str:
        named = (person.properties.get(key) for key in _NAME_PROPERTIES)
        ids: list[str] = getattr(person, "distinct_ids", [])
        return next((str(name) for name in named if name), ids[0] if ids else str(person.uuid))

    def get_matched_recordings(self, person: Person) -> list[str]:
        return []

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_value_at_data_point(self, person: Person) -> None:
        return None


class PersonPagination(LimitOffsetPagination):
    """`{"results", "next", "previous"}` without a count; a full page, or one of 20 MB, has a next one."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit, offset = self.get_limit(request) or self.default_limit, min(self.get_offset(request), 2**62)
        keys = list(queryset.values_list("uuid", flat=True)[offset : offset + limit])
        page = _first_that_fit(queryset, keys)
        is_more = len(keys) >= limit or len(page) < len(keys)
        self.request, self.limit = request, limit
        self._next = self.link(offset + len(page)) if is_more else None
        self._previous = self.link(offset - limit) if offset >= limit else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self._next, "previous": self._previous})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema)


def _first_that_fit(persons: QuerySet[Person], keys: Sequence[uuid.UUID]) -> list[Person]:
    """Return the persons with these uuids that fit into a page, at least one."""
    page: list[Person] = []
    total = 0
    for begin in range(0, len(keys), _AT_ONCE):
        part = persons.filter(uuid__in=keys[begin : begin + _AT_ONCE]).annotate(size=bytes_of("properties"))
        for person in part:
            total += person.size
            if page and total > MOST_BYTES:
                return page
            page.append(person)
    return page


class CSVRenderer(BaseRenderer):
    """Renders the persons as CSV, and errors as JSON."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if not isinstance(data, dict) or "results" not in data:
            if renderer_context:
                renderer_context["response"]["Content-Type"] = "application/json"
            return orjson.dumps(data)
        table = io.StringIO()
        writer = csv.writer(table)
        persons = [_row(person) for person in data["results"]]
        keys = sorted({key for person in persons for key in person["properties"]})
        most = max((len(person["distinct_ids"]) for person in persons), default=0)
        writer.writerow(
            ["id", "email", "name", "created_at"]
            + [f"properties.{key}" for key in keys]
            + [f"distinct_ids.{i}" for i in range(most)]
        )
        for person in persons:
            cells = [person["id"], person["email"], person["name"], person["created_at"]]
            cells += [person["properties"].get(key) for key in keys]
            cells += [*person["distinct_ids"], *[None] * (most - len(person["distinct_ids"]))]
            writer.writerow([_cell(cell) for cell in cells])
        return table.getvalue().encode()


def _row(person: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(person["properties"])
    return {**person, "email": properties.pop("email", None), "properties": properties}


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        return json.dumps(value)
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text

"""A cohort as JSON: the 21 keys of the public API's page in its order."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from cohorts.calculation.dependencies import definitions_of, has_cycle, known, of_type, references_in
from cohorts.criteria.legacy_groups import expand_groups
from cohorts.criteria.parse import CohortFilter, CriteriaError, check_groups, dump, leaves, load, parse, references
from cohorts.criteria.types import automatic_type, check_type, required_type
from cohorts.members import csv_upload
from cohorts.models import DEFAULT_FOLDER, Cohort, criteria_of
from cohorts.serializer_fields import CriteriaField, FailureField, GroupsField, PersonIdsField
from cohorts.sql import actors_query
from core6.api.ids import parse_uuid
from core6.api.serializers import ModelSerializer, UserBasicSerializer


class CohortSerializer(ModelSerializer[Cohort]):
    """Reads and writes a cohort; `person_ids` and `named` are whom a request names for a static one."""

    largest: ClassVar = dict.fromkeys(("filters", "groups", "query"), 1024**2)
    filters = CriteriaField(required=False, allow_null=True, help_text="Criteria of a dynamic cohort.")
    groups = GroupsField(required=False, help_text="Deprecated. An older form of `filters`.")
    created_by = UserBasicSerializer(
        read_only=True, allow_null=True, help_text="The user who created the cohort. Null if unknown or deleted."
    )
    last_error_message = FailureField(
        source="error_code",
        read_only=True,
        allow_null=True,
        help_text="Error of the last calculation that failed. Null if none.",
    )
    experiment_set = serializers.ListField(
        source="experiment_ids",
        child=serializers.IntegerField(),
        read_only=True,
        help_text="IDs of the experiments that use the cohort.",
    )
    _create_in_folder = serializers.CharField(
        source="folder", required=False, allow_blank=True, max_length=1000, help_text="Folder of the cohort."
    )
    _create_static_person_ids = PersonIdsField(
        source="added_person_ids",
        required=False,
        help_text="UUIDs of persons to add to a static cohort. In the response: those that were added.",
    )
    csv = serializers.FileField(
        write_only=True,
        required=False,
        allow_empty_file=True,
        help_text="CSV file with the person IDs, distinct IDs or emails of persons to add.",
    )

    class Meta:
        model = Cohort
        fields = (
            "id",
            "name",
            "description",
            "groups",
            "deleted",
            "filters",
            "query",
            "version",
            "pending_version",
            "is_calculating",
            "created_by",
            "created_at",
            "last_calculation",
            "errors_calculating",
            "last_error_message",
            "count",
            "is_static",
            "cohort_type",
            "experiment_set",
            "_create_in_folder",
            "_create_static_person_ids",
            "csv",
        )
        read_only_fields = (
            *("id", "version", "pending_version", "is_calculating", "created_at", "last_calculation"),
            *("errors_calculating", "count"),
        )
        #: Fields that calculations and changes of members modify.
        computed = (
            *("version", "pending_version", "is_calculating", "last_calculation", "errors_calculating"),
            *("last_error_message", "count", "experiment_set"),
        )
        only_in_answers: ClassVar[dict[str, Any]] = {"_create_static_person_ids": []}
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the cohort."},
            "name": {"help_text": "Name of the cohort."},
            "description": {"help_text": "Description of the cohort."},
            "version": {
                "help_text": "Version of the criteria that the members match. Null before the first calculation."
            },
            "pending_version": {"help_text": "Version of the criteria of the latest requested calculation."},
            "is_calculating": {"help_text": "Whether the members are being calculated."},
            "created_at": {"help_text": "When the cohort was created."},
            "last_calculation": {"help_text": "When the members were last calculated. Null if never."},
            "errors_calculating": {"help_text": "Number of failed calculations since the last success."},
            "count": {"help_text": "Number of members. Null before the first calculation."},
            "cohort_type": {"help_text": "Type of the cohort. Derived from its criteria."},
            "deleted": {
                "help_text": "Whether the cohort is deleted. Set it to `true` to delete the cohort, and to `false` to"
                " restore it."
            },
            "query": {"help_text": "Query for the members of a static cohort: an ActorsQuery over person properties."},
            "is_static": {"help_text": "Whether the members are a fixed list and not calculated."},
        }

    person_ids: list[uuid.UUID] | None = None
    named: csv_upload.Identifiers | None = None

    def validate__create_in_folder(self, value: str) -> str:
        return value or DEFAULT_FOLDER

    def validate__create_static_person_ids(self, value: list[str]) -> list[uuid.UUID]:
        ids = [parse_uuid(each) for each in value]
        if None in ids:
            raise ValidationError("Every id must be a valid UUID of a person.")
        return [each for each in ids if each]

    def validate_csv(self, file: Any) -> csv_upload.Identifiers:
        try:
            named = csv_upload.read(file.read())
        except csv_upload.CSVError as error:
            raise ValidationError(str(error)) from error
        # Postgres can store NUL neither in an identifier nor in the arguments of the job.
        if any("\0" in value for value in named.values):
            raise ValidationError("Null characters are not allowed.", code="null_characters_not_allowed")
        return named

    def validate_query(self, value: Any) -> Any:
        if value:
            try:
                actors_query.check_kind(value)
            except CriteriaError as error:
                raise ValidationError(error.detail) from error
        return value or None

    def validate_groups(self, value: Any) -> list[dict[str, Any]]:
        if self.instance is not None and value == self.instance.groups:
            return list(self.instance.groups)  # sent back as it was read
        try:
            check_groups(value)
        except CriteriaError as error:
            raise ValidationError(error.detail) from error
        # A change is stored as it was sent.
        groups: list[dict[str, Any]] = expand_groups(value) if self.instance is None else value
        return groups

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.person_ids = attrs.pop("added_person_ids", None)
        self.named = attrs.pop("csv", None)
        is_static = attrs.get("is_static", self.instance is not None and self.instance.is_static)
        if attrs.get("filters") and attrs.get("query"):
            raise ValidationError("Cannot set both query and filters at the same time.")
        if attrs.get("query") and not is_static:
            raise ValidationError("Cannot create a dynamic cohort with a query. Set is_static to true.")
        if attrs.get("query"):
            check_criteria(actors_query.check, attrs["query"])
        if not is_static and attrs.get("filters") is not None:
            self._read_filters(attrs)
        self._check_references(attrs)
        self._set_type(attrs, is_static=is_static)
        return attrs

    def _read_filters(self, attrs: dict[str, Any]) -> None:
        if self.instance is not None and attrs["filters"] == self.instance.criteria:
            del attrs["filters"]  # sent back as it was read
        else:
            attrs["filters"] = dump(check_criteria(parse, attrs["filters"]))

    def _check_references(self, attrs: dict[str, Any]) -> None:
        """Refuse a change that refers to an unknown cohort, or makes a loop of references."""
        if self.instance is None:
            return
        if attrs.get("is_static", self.instance.is_static):
            return  # its members are given (D66)
        filters, groups = (attrs.get(name, getattr(self.instance, name)) for name in ("filters", "groups"))
        named = references(criteria_of(filters, groups))
        project = self.instance.project_id
        if named - known(project, named):
            raise ValidationError("Invalid Cohort ID in filter")
        if named and has_cycle({**references_in(project), self.instance.pk: named}):
            raise ValidationError("Cohorts cannot reference other cohorts in a loop.")

    def _set_type(self, attrs: dict[str, Any], *, is_static: bool) -> None:
        """Check the type that was sent, and set the automatic type of a dynamic cohort."""
        if not {"filters", "is_static", "cohort_type"} & attrs.keys():
            return  # the stored filters have the stored type
        filters = attrs.get("filters", self.instance.filters if self.instance else None)
        automatic = None if is_static or not filters else check_criteria(self._automatic_type, filters)
        sent = attrs.get("cohort_type")
        if sent:
            of = {name: attrs.get(name, getattr(self.instance, name, None)) for name in ("query", "filters")}
            type_of = check_criteria(self._types_of_referenced, of["filters"])
            required = check_criteria(required_type, is_static=is_static, type_of=type_of, **of)
            check_criteria(check_type, sent, required=required, automatic=automatic)
        if not is_static and "filters" in attrs:
            attrs["cohort_type"] = automatic

    def _automatic_type(self, filters: Any) -> str | None:
        criteria = load(filters)
        named = {leaf.value for leaf in leaves(criteria.properties) if isinstance(leaf, CohortFilter)}
        realtime = of_type(self._project_id, named, Cohort.CohortType.REALTIME)
        return automatic_type(criteria, realtime.__contains__)

    @property
    def _project_id(self) -> int:
        project_id: int = self.context["project_id"]
        return project_id

    def _types_of_referenced(self, filters: Any) -> Callable[[int], str]:
        """Return a function from the id of a cohort that the filters refer to, to its required type."""
        definitions = definitions_of(self._project_id, references(filters))
        types: dict[int, str] = {}

        def type_of(key: int, above: frozenset[int] = frozenset()) -> str:
            if key in above:
                raise LookupError(key)
            if key not in types:
                found = definitions[key]
                types[key] = required_type(
                    is_static=found.is_static,
                    query=found.query,
                    filters=found.criteria,
                    type_of=lambda other: type_of(other, above | {key}),
                )
            return types[key]

        return type_of


def check_criteria(function: Any, *values: Any, **named: Any) -> Any:
    """Call a check of criteria; turn its CriteriaError into a ValidationError of the field in question."""
    try:
        return function(*values, **named)
    except CriteriaError as error:
        detail: Any = [error.detail]
        for part in reversed(error.attr.split("__")) if error.attr else ():
            detail = {part: detail}
        raise ValidationError(detail, code=error.code) from error
    except RecursionError as error:
        raise ValidationError({"cohort_type": "Invalid cohort type for the given filters"}) from error

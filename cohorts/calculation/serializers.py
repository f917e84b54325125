"""A run of the calculation as JSON."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cohorts.models import Calculation


class CalculationSerializer(serializers.ModelSerializer[Calculation]):
    """One run of the calculation."""

    filters = serializers.SerializerMethodField(help_text="Criteria of the calculation.")
    queries = serializers.SerializerMethodField(help_text="SQL statements of the calculation with their statistics.")
    duration_seconds = serializers.SerializerMethodField(
        help_text="Duration in seconds. Null while the calculation runs."
    )
    is_completed = serializers.SerializerMethodField(help_text="Whether the calculation has ended.")
    is_successful = serializers.SerializerMethodField(help_text="Whether the calculation has ended without an error.")
    total_query_ms = serializers.SerializerMethodField(help_text="Time of the SQL statements in milliseconds.")
    total_memory_mb = serializers.SerializerMethodField(help_text="Always null: not measured.")
    total_read_rows = serializers.SerializerMethodField(help_text="Always null: not measured.")
    total_written_rows = serializers.SerializerMethodField(help_text="Number of members that were added or removed.")
    main_query = serializers.SerializerMethodField(help_text="Main SQL statement, without its values.")

    class Meta:
        model = Calculation
        fields = (
            "id",
            "filters",
            "count",
            "started_at",
            "finished_at",
            "queries",
            "error",
            "duration_seconds",
            "is_completed",
            "is_successful",
            "total_query_ms",
            "total_memory_mb",
            "total_read_rows",
            "total_written_rows",
            "main_query",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the calculation."},
            "count": {"help_text": "Number of persons who match. Null if the calculation failed."},
            "started_at": {"help_text": "When the calculation started."},
            "finished_at": {"help_text": "When the calculation ended. Null while it runs."},
            "error": {"help_text": "Error of the calculation. Null if there is none."},
        }

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_filters(self, run: Calculation) -> Any:
        return run.definition.filters if run.definition else run.filters

    @extend_schema_field(serializers.ListField(child=serializers.DictField(), allow_null=True))
    def get_queries(self, run: Calculation) -> list[dict[str, Any]] | None:
        if run.queries is None:
            return None
        return [{**each, "query": _text(run, each)} for each in run.queries]

    def get_duration_seconds(self, run: Calculation) -> float | None:
        return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None

    def get_is_completed(self, run: Calculation) -> bool:
        return run.finished_at is not None

    def get_is_successful(self, run: Calculation) -> bool:
        return run.finished_at is not None and run.error is None

    def get_total_query_ms(self, run: Calculation) -> int | None:
        return _total(run, "query_ms")

    def get_total_memory_mb(self, run: Calculation) -> int | None:
        return _total(run, "memory_mb")

    def get_total_read_rows(self, run: Calculation) -> int | None:
        return _total(run, "read_rows")

    def get_total_written_rows(self, run: Calculation) -> int | None:
        return _total(run, "written_rows")

    def get_main_query(self, run: Calculation) -> str | None:
        return _text(run, run.queries[0]) if run.queries else None


def _text(run: Calculation, query: dict[str, Any]) -> str:
    text: str = query["query"] or (run.definition.query if run.definition else "")
    return text


def _total(run: Calculation, name: str) -> int | None:
    """Return the sum over the queries that have this figure, None if none has it."""
    known = [query[name] for query in run.queries or [] if query.get(name) is not None]
    return sum(known) if known else None

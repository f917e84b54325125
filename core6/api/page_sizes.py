"""Pages have at most 20 MB of JSON: with large rows a page has fewer than its limit (D70)."""

from collections.abc import Collection
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, IntegerField, JSONField, Model, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce

from core6.database.prepared import Text

#: The most bytes of JSON of the rows of a page; a single row may be larger.
MOST_BYTES: Final = 20 * 1024**2
_FITTING: Final = """
WITH RECURSIVE page (keys) AS MATERIALIZED (SELECT %(keys)s), fitting (n, bytes) AS (
  SELECT 0, 0::bigint
  UNION ALL
  SELECT n + 1, bytes + coalesce((SELECT %(size)s FROM "%(table)s" sized WHERE sized."%(pk)s" = keys[n + 1]), 0)
  FROM fitting, page WHERE n < cardinality(keys) AND bytes <= %(most)s)
SELECT unnest(keys[1:greatest(1, max(n) FILTER (WHERE bytes <= %(most)s))]) FROM fitting, page GROUP BY keys"""


def json_columns(model: type[Model], names: Collection[Any] | None = None) -> list[str]:
    """Return the JSON columns of a model, of all columns or of these; other columns are small."""
    fields = (field for field in model._meta.concrete_fields if isinstance(field, JSONField))
    return [str(field.column) for field in fields if names is None or field.attname in names]


def bytes_of(column: str) -> Coalesce:
    """Return an expression for the number of bytes of a JSON column, 0 if it is null."""
    return Coalesce(Func(Cast(column, TextField()), function="octet_length"), 0, output_field=IntegerField())


def fitting(keys: Text, model: type[Model], columns: Collection[str]) -> Text:
    """Return the SQL of the first of the selected keys whose rows have at most MOST_BYTES of JSON; at least one.

    It reads no row after the first that does not fit. The text of a value is at least as long as its JSON in a
    response.
    """
    return keys.within(_sql(model, columns, keys="ARRAY({})"))


def _sql(model: type[Model], columns: Collection[str], *, keys: str, more_bytes: str = "0") -> str:
    meta = model._meta
    own = (f'coalesce(octet_length(sized."{column}"::text), 0)' for column in columns)
    size = " + ".join([more_bytes, *own])
    return _FITTING % {
        "keys": keys,
        "size": size,
        "table": meta.db_table,
        "pk": meta.pk.column,
        "most": MOST_BYTES,
    }


def part_that_fits(
    queryset: QuerySet[Any], part: slice, *, shown: Collection[Any] | None = None, more_bytes: str = "0"
) -> QuerySet[Any]:
    """Return the rows of a slice of an ordered queryset that fit on a page.

    `shown` are the columns in the response, all if None; `more_bytes` is the SQL for the number of bytes of other
    tables that the row `sized` is shown with.
    """
    columns = json_columns(queryset.model, shown)
    if not columns or part.start == part.stop:
        return queryset[part]
    form = f"ARRAY({_sql(queryset.model, columns, keys='%(expressions)s', more_bytes=more_bytes)})"
    first = Func(ArraySubquery(queryset.values("pk")[part]), template=form)
    is_first = Func(F("pk"), first, template="%(expressions)s)", arg_joiner=" = ANY(", output_field=BooleanField())
    return queryset.filter(is_first)


class FittingRows:
    """The rows of a queryset that fit on a page, for a paginator."""

    def __init__(self, queryset: QuerySet[Any], more_bytes: str = "0") -> None:
        self._queryset, self._more_bytes = queryset, more_bytes

    def count(self) -> int:
        return self._queryset.count()

    def __getitem__(self, part: slice) -> list[Any]:
        return list(part_that_fits(self._queryset, part, more_bytes=self._more_bytes))

"""Limit/offset pagination with bounded pages; links keep every parameter but the key (D10)."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from core6.api.numbers import has_plain_digits
from core6.api.page_sizes import FittingRows

_PAGE: Final = "http://api.example.org/accounts/?offset={}&limit=100"


class LimitOffsetPagination(pagination.LimitOffsetPagination):
    """`{"count", "next", "previous", "results"}`: 100 rows a page, 1000 at most; a larger `limit` is lowered.

    A page ends at 20 MB, and the next one begins where it ends (core6.api.page_sizes).
    """

    default_limit = 100
    max_limit = 1000
    #: The SQL for the number of bytes of other tables that the row `sized` is shown with.
    more_bytes = "0"
    _shown = 0

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        rows: Any = FittingRows(queryset, self.more_bytes) if isinstance(queryset, QuerySet) else queryset
        page: list[Any] | None = super().paginate_queryset(rows, request, view)
        self._shown = len(page or ())
        return page

    def get_limit(self, request: Request) -> int | None:
        is_readable = has_plain_digits(request.query_params.get(self.limit_query_param, ""))
        return super().get_limit(request) if is_readable else self.default_limit

    def get_offset(self, request: Request) -> int:
        is_readable = has_plain_digits(request.query_params.get(self.offset_query_param, ""))
        return super().get_offset(request) if is_readable else 0

    @property
    def end(self) -> int:
        """The offset of the next page: after the shown rows, which may be fewer than the limit."""
        return (self.offset or 0) + (self._shown or self.limit or 0)

    def get_next_link(self) -> str | None:
        return None if self.end >= (self.count or 0) else self.link(self.end)

    def get_previous_link(self) -> str | None:
        return without_key(super().get_previous_link())

    def link(self, offset: int) -> str | None:
        """Return the link to the page that begins at `offset`, with the limit of this one."""
        if self.request is None:
            return None
        return page_link(self.request, {self.limit_query_param: self.limit, self.offset_query_param: offset})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema, "count")


class LongPagination(LimitOffsetPagination):
    """The same with 1000 rows a page, for annotations."""

    default_limit = 1000


def page_schema(results: dict[str, Any], count: str | None = None, link_format: str = "uri") -> dict[str, Any]:
    """Return the schema of a page of `results`, with the total under the key `count`, if given."""
    link = {"type": "string", "format": link_format, "nullable": True}
    total = {count: {"type": "integer", "example": 123, "description": "Number of results on all pages."}}
    properties = {
        **(total if count else {}),
        "next": {**link, "example": _PAGE.format(400), "description": "Link to the next page. Null on the last page."},
        "previous": {
            **link,
            "example": _PAGE.format(200),
            "description": "Link to the previous page. Null on the first page.",
        },
        "results": {**results, "description": "The results on this page."},
    }
    return {
        "type": "object",
        "description": "A page of results.",
        "required": list(properties),
        "properties": properties,
    }


def page_link(request: Request, parameters: Mapping[str, int | None]) -> str | None:
    """Return the absolute URL of a request with other query parameters, and without its API key."""
    link = request.build_absolute_uri()
    for name, value in parameters.items():
        link = replace_query_param(link, name, value)
    return without_key(link)


def without_key(link: Any) -> str | None:
    """Return a link without the API key of its request."""
    return str(remove_query_param(link, "personal_api_key")) if link else None

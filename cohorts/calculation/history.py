"""Pagination of the history of calculations, with relative links."""

from typing import Any

from rest_framework.response import Response

from core6.api.pagination import LimitOffsetPagination, page_schema


class HistoryPagination(LimitOffsetPagination):
    """`{"results", "count", "next", "previous"}` with links such as `?limit=100&offset=100`."""

    # A run is shown with its definition.
    more_bytes = (
        "coalesce((SELECT octet_length(shown.filters::text) + octet_length(shown.query)"
        " FROM cohorts_definition shown WHERE shown.id = sized.definition_id), 0)"
    )

    def get_previous_link(self) -> str | None:
        return self.link(max(0, self.offset - (self.limit or 0))) if self.offset else None

    def link(self, offset: int) -> str:
        return f"?limit={self.limit}&offset={offset}"

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "results": data,
                "count": self.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema, "count", "uri-reference")

"""Limit/offset pages: one shape, bounded, links that keep every parameter but the key (D10, contract B)."""

from typing import Any

from rest_framework import pagination
from rest_framework.utils.urls import remove_query_param


class LimitOffsetPagination(pagination.LimitOffsetPagination):
    """`{"count", "next", "previous", "results"}`: 100 rows a page, 1000 at most; a larger `limit` is lowered."""

    default_limit = 100
    max_limit = 1000

    def get_next_link(self) -> str | None:
        return without_key(super().get_next_link())

    def get_previous_link(self) -> str | None:
        return without_key(super().get_previous_link())


class LongPagination(LimitOffsetPagination):
    """The same with 1000 rows a page, as annotations have it."""

    default_limit = 1000


def without_key(link: Any) -> str | None:
    """Return a link without the key that its request may have carried."""
    return str(remove_query_param(link, "personal_api_key")) if link else None

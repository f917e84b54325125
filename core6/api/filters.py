"""Query parameters that more than one resource has."""

from typing import Any

from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

_LONGEST_SEARCH = 200


class SearchFilter(filters.SearchFilter):
    """`?search=`: every word must occur, whatever its case; `"a phrase"` stays together. At most 200 characters."""

    def get_search_terms(self, request: Request) -> Any:
        if len(request.query_params.get(self.search_param, "")) > _LONGEST_SEARCH:
            raise ValidationError({self.search_param: f"Ensure this value has at most {_LONGEST_SEARCH} characters."})
        return super().get_search_terms(request)
